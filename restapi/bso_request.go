package restapi

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// bsoRequest is one request object. Members that nobody needs are not declared; unknown ones are ignored.
type bsoRequest struct {
	Object        *bsoIn    `json:"binaryStreamObject"`
	Params        bsoParams `json:"params"`
	ReturnRequest looseBool `json:"returnRequest"`

	raw json.RawMessage
	err error // what is wrong with its form, nil for nothing
}

// echo puts the request into the answer for who asked for it.
func (req *bsoRequest) echo(e *envelope) {
	if req.ReturnRequest {
		e.Request.ReturnRequest, e.Request.Payload = true, req.raw
	}
}

// bsoIn is the object in a request.
type bsoIn struct {
	ID         string                     `json:"id"`
	Type       string                     `json:"type"`
	Properties map[string]json.RawMessage `json:"properties"`
	Data       struct {
		Attributes map[string]json.RawMessage `json:"attributes"`
	} `json:"data"`
}

// bsoParams is the question of get.
type bsoParams struct {
	Authorization string    `json:"authorizationType"`
	Query         *bsoQuery `json:"query"`
	Fields        struct {
		Attributes []string `json:"attributes"`
	} `json:"fields"`
	Options struct {
		Max   looseInt `json:"maxRecords"`
		Total looseInt `json:"totalRecords"`
		From  looseInt `json:"from"`
	} `json:"options"`
	Sort struct {
		Properties []map[string]string `json:"properties"`
	} `json:"sort"`
}

type bsoQuery struct {
	ID      string   `json:"id"`
	IDs     []string `json:"ids"`
	Name    string   `json:"name"`
	Filters struct {
		Types      []string                                `json:"typesCriterion"`
		Properties []map[string]map[string]json.RawMessage `json:"propertiesCriterion"`
	} `json:"filters"`
}

// looseBool takes true and "true" as the same.
type looseBool bool

// UnmarshalJSON never fails: what is not true is false.
func (b *looseBool) UnmarshalJSON(data []byte) error {
	*b = looseBool(strings.EqualFold(strings.Trim(string(data), `"`), "true"))
	return nil
}

// looseInt takes 5 and "5" as the same.
type looseInt int

// UnmarshalJSON never fails: what is no number is 0.
func (n *looseInt) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 32)
	if err != nil {
		v = 0
	}
	*n = looseInt(v)
	return nil
}

// maxElements is how many requests may stand in one array.
const maxElements = 350

// parseRequests reads a body: one request object or an array of them. The JSON is known to be valid. An element with the wrong form is a request
// that fails, and spoils no other.
func parseRequests(data json.RawMessage) (reqs []*bsoRequest, array bool, err error) {
	data = bytes.TrimSpace(data)
	parts := []json.RawMessage{data}
	if array = data[0] == '['; array {
		if err := json.Unmarshal(data, &parts); err != nil {
			return nil, true, errSyntax
		}
	}
	if len(parts) == 0 || len(parts) > maxElements {
		return nil, array, bsoMalformed("an array must hold 1 to " + strconv.Itoa(maxElements) + " requests")
	}
	for _, p := range parts {
		reqs = append(reqs, parseRequest(p))
	}
	return reqs, array, nil
}

func parseRequest(data json.RawMessage) *bsoRequest {
	r := &bsoRequest{raw: data}
	if bytes.TrimSpace(data)[0] != '{' {
		r.err = bsoMalformed("a request must be a JSON object")
	} else if json.Unmarshal(data, r) != nil {
		r.err = bsoMalformed("a member has the wrong type")
	} else if r.Object != nil && len(r.Object.Properties) > maxMembers {
		r.err = bsoMalformed("an object has at most 10000 properties")
	}
	return r
}
