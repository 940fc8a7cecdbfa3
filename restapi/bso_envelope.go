package restapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// envelope is every answer of the service. Failures of the application travel in it with HTTP 200.
type envelope struct {
	Request  envRequest  `json:"request"`
	Response envResponse `json:"response"`
}

type envRequest struct {
	ReturnRequest bool            `json:"returnRequest"`
	Params        *struct{}       `json:"params,omitempty"` // always empty; failures have none
	RequestID     string          `json:"requestId"`
	MaxRecords    int             `json:"maxRecords,omitempty"`
	Payload       json.RawMessage `json:"requestPayload,omitempty"`
}

type envResponse struct {
	Objects *[]bsoOut  `json:"binaryStreamObjects,omitempty"`
	Status  string     `json:"status"`
	Detail  *envDetail `json:"statusDetail,omitempty"`
	Total   int        `json:"totalRecords"`
}

type envDetail struct {
	Message  string       `json:"message"`
	Messages []envMessage `json:"messages,omitempty"`
}

type envMessage struct {
	Message string   `json:"message"`
	Code    string   `json:"messageCode"`
	Type    string   `json:"messageType"`
	Params  []string `json:"messageParams,omitempty"`
}

// bsoOut is a binary stream object in an answer. The order of its members is part of the contract: scripts cut the URL out of the text.
type bsoOut struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	System     *bsoSystem     `json:"systemInfo,omitempty"`
	Properties map[string]any `json:"properties"`
	Data       map[string]any `json:"data,omitempty"`
}

type bsoSystem struct {
	Tenant string `json:"tenantId"`
}

// bsoResult is what an operation did.
type bsoResult struct {
	objects    *[]bsoOut // nil: the answer has no such member
	message    string
	total      int
	maxRecords int
}

func newRequestID() string { return uuid.NewString() }

// succeed wraps a result.
func (c *call) succeed(res bsoResult) *envelope {
	e := &envelope{
		Request:  envRequest{Params: &struct{}{}, RequestID: c.id, MaxRecords: res.maxRecords},
		Response: envResponse{Objects: res.objects, Status: "success", Total: res.total},
	}
	if res.message != "" {
		e.Response.Detail = &envDetail{Message: res.message}
	}
	return e
}

// problemEnvelope wraps a failure. The first message stands in two places: clients differ in where they look.
func problemEnvelope(id string, p *bsoProblem) *envelope {
	params := p.params
	if p.code == "PD001" && len(params) == 2 {
		params = []string{id, params[1]}
	}
	m := envMessage{Message: p.message, Code: p.code, Type: "error", Params: params}
	return &envelope{
		Request:  envRequest{RequestID: id},
		Response: envResponse{Status: "error", Detail: &envDetail{Message: p.message, Messages: []envMessage{m}}},
	}
}

// writeEnvelope sends any answer of the service.
func writeEnvelope(w http.ResponseWriter, status int, v any) {
	data := encodeJSON(v)
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	w.Write(data)
}

// failBSO answers with a failure of the whole request and logs what the client may not see. The façade has a shape of its own for what the
// service itself tells with HTTP 200.
func (s *server) failBSO(w http.ResponseWriter, r *http.Request, id string, route bsoRoute, err error) {
	p := bsoProblemOf(err, false)
	s.logBSO(r, id, p, err)
	if route.facade && p.status == http.StatusOK {
		writeEnvelope(w, p.status, uiFailure(p))
		return
	}
	writeEnvelope(w, p.status, problemEnvelope(id, p))
}

func (s *server) logBSO(r *http.Request, id string, p *bsoProblem, err error) {
	if p.code == "E0001" || p.code == "E0002" {
		s.log.Log(r.Context(), failureLevel(err), "binary stream object request failed", "request", id, "path", r.URL.Path, "code", p.code, "err", err)
	}
}

// uiFailure is the answer of the /data façade when nothing succeeded; it has a shape of its own.
func uiFailure(p *bsoProblem) any {
	return map[string]any{"response": map[string]any{
		"status":       "Error",
		"statusDetail": map[string]any{"code": "RSUI0001", "message": p.message, "messageType": "Error"},
	}}
}

// unauthorizedBSO refuses a caller without valid credentials.
func unauthorizedBSO(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="tote"`)
	writeEnvelope(w, bsoUnauthorized.status, problemEnvelope(newRequestID(), bsoUnauthorized))
}
