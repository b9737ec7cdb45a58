package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// deepest is how far a JSON body may nest; the deepest that is of use here is a field of an object of a list: 3.
const deepest = 8

// mostFaults is how many faults of one body are told; a wrong export has the same one in each row.
const mostFaults = 100

// complaints collects what is wrong with a body, so that the sender hears all of it at once.
type complaints struct {
	faults    []Fault
	malformed bool // the body's shape is wrong, not merely a value
	count     int
}

func (w *complaints) add(malformed bool, f Fault) {
	w.count++
	w.malformed = w.malformed || malformed
	if len(w.faults) < mostFaults {
		w.faults = append(w.faults, f)
	}
}

// err is nil, a 400 for a body of a wrong shape, or a 422 for values that cannot be.
func (w *complaints) err() error {
	if w.count == 0 {
		return nil
	}
	status, code, detail := http.StatusUnprocessableEntity, "body_invalid", "请求有 "+strconv.Itoa(w.count)+" 处错误，见 errors，改正后重发"
	if w.malformed {
		status = http.StatusBadRequest
	}
	if w.count == 1 {
		code, detail = w.faults[0].Code, w.faults[0].Detail
	}
	return problem(status, code, detail, w.faults...)
}

// body reads the request's JSON object strictly: what encoding/json lets pass silently – a key given twice, bytes that are
// no UTF-8, something after the end – is refused, since two readers could understand it differently.
func body(c *gin.Context) (*form, error) {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, err
	}
	return parseForm(raw)
}

func parseForm(raw []byte) (*form, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, problem(http.StatusBadRequest, "body_empty", "请求内容为空，应为 JSON 对象")
	}
	if !utf8.Valid(raw) {
		line, column := position(raw, firstInvalid(raw))
		return nil, malformed("json_encoding", "请求内容不是有效的 UTF-8 编码", line, column)
	}
	if err := checkSyntax(raw); err != nil {
		return nil, err
	}
	wrong := &complaints{}
	tokens := json.NewDecoder(bytes.NewReader(raw))
	tokens.UseNumber()
	tree := wrong.value(tokens, "", 0)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	fields, ok := tree.(map[string]any)
	if !ok {
		return nil, malformed("field_type", "请求内容应为 JSON 对象", 1, 1)
	}
	return &form{wrong: wrong, fields: fields}, nil
}

// checkSyntax refuses text that is not one JSON value, and says where it stops being one.
func checkSyntax(raw []byte) error {
	var whole json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(raw, &whole)
	if err == nil {
		return nil
	}
	line, column := 1, 1
	if errors.As(err, &syntax) {
		line, column = position(raw, int(syntax.Offset)-1)
	}
	return malformed("json_malformed", "请求内容不是有效的 JSON（第 "+strconv.Itoa(line)+" 行第 "+strconv.Itoa(column)+" 列）", line, column)
}

func malformed(code, detail string, line, column int) *Problem {
	return problem(http.StatusBadRequest, code, detail, Fault{Line: line, Column: column, Code: code, Detail: detail})
}

// value builds one value of a text whose syntax is known to be right.
func (w *complaints) value(tokens *json.Decoder, pointer string, depth int) any {
	token, _ := tokens.Token()
	switch t := token.(type) {
	case json.Delim:
		if depth == deepest {
			w.add(true, Fault{Pointer: pointer, Code: "json_too_deep", Detail: "嵌套层数过多"})
			skip(tokens)
			return nil
		}
		if t == '{' {
			return w.object(tokens, pointer, depth)
		}
		return w.array(tokens, pointer, depth)
	case string:
		if strings.ContainsRune(t, utf8.RuneError) {
			w.add(true, Fault{Pointer: pointer, Code: "text_encoding", Detail: "文字中含有无法识别的字符（U+FFFD），请检查来源编码"})
		}
		return t
	}
	return token
}

func (w *complaints) object(tokens *json.Decoder, pointer string, depth int) any {
	fields := map[string]any{}
	for tokens.More() {
		key, _ := tokens.Token()
		name, _ := key.(string)
		at := pointer + "/" + escapePointer.Replace(name)
		if _, twice := fields[name]; twice {
			w.add(true, Fault{Pointer: at, Code: "field_twice", Detail: "字段重复出现：" + name})
		}
		fields[name] = w.value(tokens, at, depth+1)
	}
	_, _ = tokens.Token()
	return fields
}

func (w *complaints) array(tokens *json.Decoder, pointer string, depth int) any {
	list := []any{}
	for tokens.More() {
		list = append(list, w.value(tokens, pointer+"/"+strconv.Itoa(len(list)), depth+1))
	}
	_, _ = tokens.Token()
	return list
}

// skip passes over the rest of a value whose opening bracket has been read.
func skip(tokens *json.Decoder) {
	for open := 1; open > 0; {
		switch token, err := tokens.Token(); {
		case err != nil:
			return
		case token == json.Delim('{'), token == json.Delim('['):
			open++
		case token == json.Delim('}'), token == json.Delim(']'):
			open--
		}
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// position is the line and column, from 1 and in characters, of a byte.
func position(raw []byte, offset int) (line, column int) {
	before := raw[:max(0, min(offset, len(raw)))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

func firstInvalid(raw []byte) int {
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(raw)
}
