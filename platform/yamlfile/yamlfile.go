// Package yamlfile reads the YAML files that people write, such as the plan and the table of refund limits, and tells
// everything that is wrong with one at once, with its line.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"depositd/platform/deposit"
)

// Reader collects the complaints about one file. The zero Reader has none.
type Reader struct {
	body  []byte
	tree  *ast.File // made for the first complaint, since it takes as long as the decoding
	wrong []string
}

// Plain is a file's text without the mark that some editors put before it.
func Plain(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\uFEFF")) }

// Read decodes the file strictly. False, with a complaint, where it cannot be read at all, or has a key that there is none
// of; kind is what the file is for people, such as 规则文件.
func (r *Reader) Read(body []byte, kind string, into any) bool {
	body = Plain(body)
	if !utf8.Valid(body) {
		r.Complain("$", "文件不是 UTF-8 编码，请另存为 UTF-8")
		return false
	}
	if err := yaml.UnmarshalWithOptions(body, into, yaml.Strict()); err != nil {
		r.unreadable(kind, err)
		return false
	}
	r.body = body
	return true
}

// unreadable reports what has not the file's form, where the decoder says it is.
func (r *Reader) unreadable(kind string, err error) {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		r.Complain("$", "第 ", located.GetToken().Position.Line, " 行：不是", kind, "的格式：", located.GetMessage())
		return
	}
	r.Complain("$", "不是", kind, "的格式：", err)
}

// Complain tells what is wrong at a place such as $.rules[3].n, or else at what holds it.
func (r *Reader) Complain(path string, text ...any) {
	if r.tree == nil && r.body != nil {
		r.tree, _ = parser.ParseBytes(r.body, 0)
	}
	for place := path; r.tree != nil && place != "$"; place = place[:strings.LastIndexAny(place, ".[")] {
		at, err := yaml.PathString(place)
		if err != nil {
			continue
		}
		if node, err := at.FilterFile(r.tree); err == nil && node.GetToken() != nil {
			r.wrong = append(r.wrong, fmt.Sprintf("第 %d 行：%s", node.GetToken().Position.Line, fmt.Sprint(text...)))
			return
		}
	}
	r.wrong = append(r.wrong, fmt.Sprint(text...))
}

// Clean says that there is no complaint so far.
func (r *Reader) Clean() bool { return len(r.wrong) == 0 }

// Refused is one Invalid Refusal whose text lists all complaints, a line each; nil where there are none. what is what the
// file says, for people, such as 退付规则.
func (r *Reader) Refused(code, what string) error {
	if r.Clean() {
		return nil
	}
	return deposit.Refuse(deposit.Invalid, code, what, "有 ", len(r.wrong), " 处错误：\n", strings.Join(r.wrong, "\n"))
}
