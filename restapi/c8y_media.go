package restapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

const c8yPrefix = "application/vnd.com.nsn.cumulocity."

// c8yType is the media type of a resource; token is one of the documented ones (managedObject, error, …).
func c8yType(token string) string {
	return c8yPrefix + token + "+json;ver=0.9;charset=UTF-8"
}

// wantsBody follows the rule of POST and PUT: a request without Accept gets no body, any Accept asks for one.
func wantsBody(r *http.Request) bool {
	for _, v := range r.Header["Accept"] {
		if strings.TrimSpace(v) != "" {
			return true
		}
	}
	return false
}

// answerType picks the media type of a body. Nothing is ever refused: clients send Accept headers that name what they hardly need.
func answerType(r *http.Request, token string) string {
	accept := strings.ToLower(strings.Join(r.Header["Accept"], ","))
	if !strings.Contains(accept, c8yPrefix) && strings.Contains(accept, "application/json") {
		return "application/json"
	}
	return c8yType(token)
}

// writeC8y sends a JSON body.
func writeC8y(w http.ResponseWriter, r *http.Request, status int, token string, v any) {
	data := encodeJSON(v)
	w.Header().Set("Content-Type", answerType(r, token))
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	w.Write(data)
}

// encodeJSON leaves &, < and > as they are: links are cut out of the text by clients that do not undo escapes.
func encodeJSON(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("{}\n") // only values made by this package get here, and they marshal
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
