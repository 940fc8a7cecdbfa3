package restapi

import (
	"github.com/google/uuid"

	"tote/fs"
)

// What stands in the URLs and headers of the continuous operations for the key and the name of each file. Clients look for these texts.
const (
	placeholderKey  = "replacementObjectKey"
	placeholderName = "replacementFileName"
)

// perFile are the properties of one file. They say nothing about all files of a continuous upload.
var perFile = []string{fs.PropOriginalFileName, fs.PropFullObjectPath, propReplacement}

// uploadContinuous hands out one URL for any number of files: the client puts the key of each in place of the placeholder.
func (c *call) uploadContinuous(req *bsoRequest) (bsoResult, error) {
	in, err := req.described()
	if err != nil {
		return bsoResult{}, err
	}
	if !c.actor.HasRole(bsoCreators...) {
		return bsoResult{}, bsoDenied("role")
	}
	typ := in.typeOr(defaultType)
	file := headerOr(lastSegment(textOf(in.props[propReplacement])), placeholderName)
	for _, name := range perFile {
		delete(in.props, name)
	}
	in.id = uuid.NewString()
	headers, err := c.uploadHeaders(in, typ, file)
	if err != nil {
		return bsoResult{}, err
	}
	g := grant{perms: permUpload, scope: scopeContainer, container: container(c.actor.Tenant, typ), key: placeholderKey}
	return prepared(c.actor.Tenant, in.id, typ, map[string]any{
		"replacementObjectKey": placeholderKey,
		propReplacement:        file,
		"headers":              headers,
		"uploadContinuousURL":  c.s.signedURL(c.base, g, c.uploadClaims(in, typ)),
	}), nil
}

// downloadContinuous is the counterpart for reading: one URL for the objects of a container.
func (c *call) downloadContinuous(req *bsoRequest) (bsoResult, error) {
	in, err := req.described()
	if err != nil {
		return bsoResult{}, err
	}
	if !c.actor.HasRole(bsoReaders...) {
		return bsoResult{}, bsoDenied("role")
	}
	typ := in.typeOr(defaultType)
	g := grant{perms: permDownload, scope: scopeContainer, container: container(c.actor.Tenant, typ), key: placeholderKey}
	return prepared(c.actor.Tenant, uuid.NewString(), typ, map[string]any{
		"replacementObjectKey":  placeholderKey,
		"downloadContinuousURL": c.s.signedURL(c.base, g, c.claims()),
	}), nil
}
