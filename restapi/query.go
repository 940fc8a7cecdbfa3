package restapi

import (
	"slices"
	"strconv"
	"strings"
)

// query is a question in the inventory's query language: a condition and an order. A nil query lets everything pass.
//
//	query      = [ "$filter=" ] [ condition ] [ "$orderby=" order ]
//	condition  = and { "or" and }
//	and        = not { "and" not }
//	not        = "not" not | "(" condition ")" | function | comparison
//	function   = "has(" name ")" | "hasany(" name { "," name } ")"
//	comparison = name ( "eq" | "gt" | "ge" | "lt" | "le" ) value
//	value      = "'" text "'" | number | "null" | "true" | "false"
//	order      = name [ "asc" | "desc" ] { "," name [ "asc" | "desc" ] }
type query struct {
	where *clause // nil: everything
	order []orderKey
}

// clause is a node of the parsed question.
type clause struct {
	op    string // and, or, not, has, eq, gt, ge, lt, le
	parts []*clause
	name  string
	value any // string, float64, bool or nil
}

type orderKey struct {
	name string
	desc bool
}

// Bounds of a query.
const (
	maxQuery      = 16 << 10
	maxQueryDepth = 64
	maxOrderKeys  = 8
)

// conditional tells whether the query leaves anything out.
func (q *query) conditional() bool { return q != nil && q.where != nil }

// ordered tells whether the query asks for an order of its own.
func (q *query) ordered() bool { return q != nil && len(q.order) > 0 }

// needs tells whether nothing without this member can match.
func (q *query) needs(name string) bool { return q.conditional() && q.where.needs(name) }

func (c *clause) needs(name string) bool {
	switch c.op {
	case "has":
		return c.name == name
	case "and":
		return slices.ContainsFunc(c.parts, func(p *clause) bool { return p.needs(name) })
	}
	return false
}

// parseQueries reads the parameters query and q; the latter asks for devices only. Both may be empty.
func parseQueries(text, devices string) (*query, error) {
	if text == "" && devices == "" {
		return nil, nil
	}
	out := &query{}
	for i, t := range []string{text, devices} {
		if t == "" {
			continue
		}
		q, err := parseQuery(t)
		if err != nil {
			return nil, err
		}
		if i == 1 {
			q.where = both(q.where, &clause{op: "has", name: "c8y_IsDevice"})
		}
		out.where, out.order = both(out.where, q.where), append(out.order, q.order...)
	}
	return out, nil
}

// both is the condition that two hold, of which any may be missing.
func both(a, b *clause) *clause {
	if a == nil || b == nil {
		return cmpOr(a, b)
	}
	return &clause{op: "and", parts: []*clause{a, b}}
}

func cmpOr(a, b *clause) *clause {
	if a != nil {
		return a
	}
	return b
}

// queryError says where a query stops making sense.
func queryError(message string) *c8yProblem {
	p := c8yInvalid("the query can't be understood: " + message)
	return &c8yProblem{p.status, "inventory/Invalid Data", p.message}
}

func parseQuery(text string) (*query, error) {
	if len(text) > maxQuery {
		return nil, queryError("it is longer than 16 KiB")
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &queryParser{tokens: tokens}
	return p.query()
}

// token is a word, a text in quotes, or a sign.
type token struct {
	kind byte // 'w' word, 's' text, 'n' number, or the sign itself
	text string
}

// is tells whether the token is one of the language's words, which are written in any case.
func (t token) is(word string) bool { return t.kind == 'w' && strings.EqualFold(t.text, word) }

// lex splits a query. A quote within a text is doubled; some clients put a backslash before brackets and backslashes.
func lex(text string) ([]token, error) {
	var out []token
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')' || c == ',' || c == '=':
			out = append(out, token{c, string(c)})
			i++
		case c == '\'':
			s, n, ok := quoted(text[i:])
			if !ok {
				return nil, queryError("a text has no closing quote")
			}
			out = append(out, token{'s', s})
			i += n
		case wordByte(c):
			n := i
			for n < len(text) && wordByte(text[n]) {
				n++
			}
			out = append(out, wordToken(text[i:n]))
			i = n
		default:
			return nil, queryError("there is a " + strconv.QuoteRune(rune(c)) + " in it")
		}
	}
	return out, nil
}

func wordByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '.' || c == '$' || c == '-' || c == '+' || c == ':' || c == '@' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func wordToken(w string) token {
	if c := w[0]; c != '-' && c != '+' && (c < '0' || c > '9') {
		return token{'w', w}
	}
	plain := strings.TrimRight(w, "fFdDlL") // clients write 3f
	if _, err := strconv.ParseFloat(plain, 64); err == nil && len(w)-len(plain) <= 1 {
		return token{'n', plain}
	}
	return token{'w', w}
}

// quoted reads a text up to its closing quote and tells how long it was with quotes.
func quoted(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`\()[]{}`, s[i+1]) >= 0 {
			i++
			b.WriteByte(s[i])
			continue
		}
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

// queryParser reads tokens from left to right.
type queryParser struct {
	tokens []token
	depth  int
}

func (p *queryParser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

func (p *queryParser) next() token {
	t := p.peek()
	if len(p.tokens) > 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

// take consumes a sign.
func (p *queryParser) take(sign byte) error {
	if t := p.next(); t.kind != sign {
		return queryError("a " + string(sign) + " is missing")
	}
	return nil
}

// section consumes $filter= or $orderby=.
func (p *queryParser) section(name string) (bool, error) {
	if !p.peek().is(name) {
		return false, nil
	}
	p.next()
	return true, p.take('=')
}

func (p *queryParser) query() (*query, error) {
	q := &query{}
	if _, err := p.section("$filter"); err != nil {
		return nil, err
	}
	var err error
	if t := p.peek(); t.kind != 0 && !t.is("$orderby") {
		if q.where, err = p.condition(); err != nil {
			return nil, err
		}
	}
	ordered, err := p.section("$orderby")
	if err == nil && ordered {
		q.order, err = p.orderKeys()
	}
	if err == nil && len(p.tokens) > 0 {
		err = queryError("it goes on after its end, with " + strconv.Quote(p.peek().text))
	}
	return q, err
}

func (p *queryParser) orderKeys() ([]orderKey, error) {
	var keys []orderKey
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		k := orderKey{name: name}
		if t := p.peek(); t.is("asc") || t.is("desc") {
			k.desc = p.next().is("desc")
		}
		if keys = append(keys, k); len(keys) > maxOrderKeys {
			return nil, queryError("it is ordered by more than 8 names")
		}
		if p.peek().kind != ',' {
			return keys, nil
		}
		p.next()
	}
}

func (p *queryParser) name() (string, error) {
	t := p.next()
	if t.kind != 'w' || slices.ContainsFunc([]string{"and", "or", "not", "eq", "gt", "ge", "lt", "le", "asc", "desc"}, t.is) {
		return "", queryError("the name of a member is missing")
	}
	return t.text, nil
}

func (p *queryParser) condition() (*clause, error) { return p.chain("or", p.and) }

func (p *queryParser) and() (*clause, error) { return p.chain("and", p.not) }

// chain reads parts with a word between them.
func (p *queryParser) chain(word string, part func() (*clause, error)) (*clause, error) {
	first, err := part()
	if err != nil || !p.peek().is(word) {
		return first, err
	}
	c := &clause{op: word, parts: []*clause{first}}
	for p.peek().is(word) {
		p.next()
		next, err := part()
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, next)
	}
	return c, nil
}

func (p *queryParser) not() (*clause, error) {
	if p.depth++; p.depth > maxQueryDepth {
		return nil, queryError("it is nested more than 64 deep")
	}
	defer func() { p.depth-- }()
	t := p.peek()
	switch {
	case t.is("not"):
		p.next()
		c, err := p.not()
		return &clause{op: "not", parts: []*clause{c}}, err
	case t.kind == '(':
		p.next()
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		return c, p.take(')')
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	if p.peek().kind == '(' {
		return p.function(name)
	}
	return p.comparison(name)
}

// function reads the arguments of has and hasany, which may stand in quotes.
func (p *queryParser) function(name string) (*clause, error) {
	p.next()
	var args []*clause
	for {
		t := p.next()
		if t.kind != 'w' && t.kind != 's' || t.text == "" {
			return nil, queryError("the name of a member is missing")
		}
		args = append(args, &clause{op: "has", name: t.text})
		if p.peek().kind != ',' {
			break
		}
		p.next()
	}
	if err := p.take(')'); err != nil {
		return nil, err
	}
	switch {
	case strings.EqualFold(name, "has") && len(args) == 1:
		return args[0], nil
	case strings.EqualFold(name, "hasany"):
		return &clause{op: "or", parts: args}, nil
	}
	return nil, queryError("there is no function " + strconv.Quote(name))
}

func (p *queryParser) comparison(name string) (*clause, error) {
	op := p.next()
	if !slices.ContainsFunc([]string{"eq", "gt", "ge", "lt", "le"}, op.is) {
		return nil, queryError("after " + strconv.Quote(name) + " one of eq, gt, ge, lt and le is missing")
	}
	c := &clause{op: strings.ToLower(op.text), name: name}
	v := p.next()
	switch {
	case v.kind == 's':
		c.value = v.text
	case v.kind == 'n':
		c.value, _ = strconv.ParseFloat(v.text, 64) // lex has tried it
	case v.is("true"), v.is("false"):
		c.value = v.is("true")
	case v.is("null"):
	default:
		return nil, queryError("after " + strconv.Quote(name) + " a value is missing; texts stand in single quotes")
	}
	if c.value == nil && c.op != "eq" {
		return nil, queryError("null can only be compared with eq")
	}
	return c, nil
}
