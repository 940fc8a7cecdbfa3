package restapi

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"tote/fs"
)

// blockRef is an entry of a block list.
type blockRef struct {
	from string // where to look: Latest, Committed or Uncommitted
	id   string
}

// parseBlockList reads <BlockList><Latest>id</Latest>…</BlockList>. Anything but elements of this form and blanks between them is refused.
func parseBlockList(in io.Reader) ([]blockRef, error) {
	d := xml.NewDecoder(in)
	if err := openList(d); err != nil {
		return nil, err
	}
	var list []blockRef
	for {
		t, err := d.Token()
		if err != nil {
			return nil, blobXML
		}
		switch t := t.(type) {
		case xml.StartElement:
			id, err := blockEntry(d, t)
			if err != nil {
				return nil, err
			}
			if list = append(list, blockRef{t.Name.Local, id}); len(list) > maxBlocks {
				return nil, blobListTooLong
			}
		case xml.EndElement:
			return list, endOfXML(d)
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return nil, blobXML
			}
		case xml.Directive:
			return nil, blobXML
		}
	}
}

// openList reads up to the start of the list.
func openList(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if err != nil {
			return blobXML
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local != "BlockList" {
				return blobXML
			}
			return nil
		case xml.Directive:
			return blobXML
		case xml.CharData:
			if strings.TrimSpace(strings.TrimPrefix(string(t), "\ufeff")) != "" {
				return blobXML
			}
		}
	}
}

// blockEntry reads one entry to its end.
func blockEntry(d *xml.Decoder, start xml.StartElement) (id string, err error) {
	switch start.Name.Local {
	case "Latest", "Committed", "Uncommitted":
	default:
		return "", blobXML
	}
	var text strings.Builder
	for {
		t, err := d.Token()
		if err != nil {
			return "", blobXML
		}
		switch t := t.(type) {
		case xml.CharData:
			if text.Write(t); text.Len() > 4*maxBlockID {
				return "", blobBlockID
			}
		case xml.EndElement:
			return blockID(strings.TrimSpace(text.String()))
		case xml.Comment:
		default:
			return "", blobXML
		}
	}
}

// endOfXML makes sure that nothing follows the list.
func endOfXML(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return blobXML
		}
		switch t := t.(type) {
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return blobXML
			}
		case xml.Comment:
		default:
			return blobXML
		}
	}
}

// blockPart is a block in its place in a new blob.
type blockPart struct {
	id        string
	size      int64
	committed bool // else it waits as a piece
	off       int64
}

// planBlocks finds the blocks of a list. One that is nowhere spoils the list.
func planBlocks(list []blockRef, have *fs.Pieces, old committedBlocks) (parts []blockPart, total int64, err error) {
	for _, ref := range list {
		part, ok := findBlock(ref, have, old)
		if !ok {
			return nil, 0, blobBlockList
		}
		parts = append(parts, part)
		total += part.size
	}
	return parts, total, nil
}

func findBlock(ref blockRef, have *fs.Pieces, old committedBlocks) (blockPart, bool) {
	if ref.from != "Committed" {
		if n, ok := have.Size(ref.id); ok {
			return blockPart{id: ref.id, size: n}, true
		}
	}
	if ref.from != "Uncommitted" {
		part, ok := old.parts[ref.id]
		return part, ok
	}
	return blockPart{}, false
}

// propBlocks keeps the blocks that the present version of a blob was made of.
const propBlocks = "blobBlocks"

// maxBlocksProp bounds what is kept in it, so that the mount can show it as an extended attribute. A blob of more blocks, some thousand, can't be edited
// by blocks.
const maxBlocksProp = 48 << 10

// blockIndex is that property. It counts only for the version that it names: other faces write, too.
type blockIndex struct {
	Version int64       `json:"version"`
	Blocks  []blockSpan `json:"blocks"`
}

type blockSpan struct {
	ID   []byte `json:"id"`
	Size int64  `json:"size"`
}

// committedBlocks are the blocks of the present version.
type committedBlocks struct {
	parts  map[string]blockPart
	reader *fs.Reader // nil without blocks
}

func (c committedBlocks) close() {
	if c.reader != nil {
		c.reader.Close()
	}
}

// committed finds the blocks of the blob that is replaced, and opens it. It has none when it was not made of blocks.
func (p *blobPut) committed() (c committedBlocks, err error) {
	if p.holder == nil {
		return c, nil
	}
	find := p.find()
	index, err := p.blockIndex(find)
	if err != nil || len(index.Blocks) == 0 {
		return c, err
	}
	rd, err := p.s.fs.OpenReaderIno(find.ctx, find.actor, p.holder.ino())
	if missing(err) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if rd.Info().Attr().Version != index.Version {
		return c, rd.Close()
	}
	c = committedBlocks{parts: map[string]blockPart{}, reader: rd}
	var off int64
	for _, b := range index.Blocks {
		c.parts[string(b.ID)] = blockPart{id: string(b.ID), size: b.Size, off: off, committed: true}
		off += b.Size
	}
	if off != rd.Size() {
		c.parts = nil
	}
	return c, nil
}

func (p *blobPut) blockIndex(find finder) (index blockIndex, err error) {
	props, err := p.s.fs.Props(find.ctx, find.actor, p.holder.ino())
	for _, prop := range props {
		if prop.Space == "" && prop.Name == propBlocks {
			_ = json.Unmarshal([]byte(prop.Value), &index) // written by remember; anything else means none
		}
	}
	if missing(err) {
		err = nil
	}
	return index, err
}

// remember keeps the blocks that a version was made of. It is a help for the next list only: when it fails, that one has to bring all blocks.
func (p *blobPut) remember(info fs.Info, parts []blockPart) {
	index := blockIndex{Version: info.Attr().Version}
	for _, part := range parts {
		index.Blocks = append(index.Blocks, blockSpan{[]byte(part.id), part.size})
	}
	text := encodeJSON(index)
	if len(text) > maxBlocksProp || len(parts) == 0 {
		return
	}
	set := []fs.Property{{Name: propBlocks, Value: string(text)}}
	if err := p.s.fs.PatchProps(p.find().ctx, fs.System(p.actor.Tenant, "rest"), info.Ino(), set, nil); err != nil {
		p.s.log.WarnContext(p.r.Context(), "the blocks of a blob are not remembered", "ino", info.Ino(), "err", err)
	}
}
