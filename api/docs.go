package api

import (
	"bytes"
	_ "embed" // the page's template and style
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/goccy/go-yaml"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS []byte

// docsPolicy lets the page use our style and nothing else: it has no script.
const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// getDocs shows openapi.yaml as a page for people. It is made once, of the bytes that are served as the document.
func (s *server) getDocs(c *gin.Context) error {
	page, err := docsPage()
	if err != nil {
		return err
	}
	c.Header("Content-Security-Policy", docsPolicy)
	c.Data(http.StatusOK, "text/html; charset=utf-8", page)
	return nil
}

func (s *server) getDocsStyle(c *gin.Context) error {
	c.Data(http.StatusOK, "text/css; charset=utf-8", docsCSS)
	return nil
}

var docsPage = sync.OnceValues(func() ([]byte, error) {
	view, err := docsOf(openAPI)
	if err != nil {
		return nil, err
	}
	words := template.FuncMap{"prose": prose, "kind": kindOf, "name": schemaName, "has": slices.Contains[[]string]}
	page, err := template.New("docs").Funcs(words).Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("documentation page: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, view); err != nil {
		return nil, fmt.Errorf("documentation page: %w", err)
	}
	return out.Bytes(), nil
})

// docs is what the page shows of the document, in its order.
type docs struct {
	Title, Version, Description string
	Groups                      []docsGroup
	Schemas                     []docsSchema
}

type docsGroup struct {
	Name, Description string
	Operations        []docsOperation
}

type docsOperation struct {
	Method, Path string
	operation
}

type docsSchema struct {
	Name   string
	Fields []docsField
	Is     schema
}

type docsField struct {
	Name string
	Is   schema
}

// What is read of the document.
type (
	apiDocument struct {
		Info struct {
			Title, Version, Description string
		}
		Tags []struct {
			Name, Description string
		}
		Paths      yaml.MapSlice
		Components struct {
			Parameters map[string]parameter
			Responses  map[string]answerKind
			Schemas    yaml.MapSlice
		}
	}
	operation struct {
		OperationID          string `yaml:"operationId"`
		Tags                 []string
		Summary, Description string
		Parameters           []parameter
		RequestBody          struct {
			Description string
			Content     map[string]content
		} `yaml:"requestBody"`
		Responses map[string]answerKind
	}
	parameter struct {
		Ref, Name, In, Description string
		Required                   bool
		Schema                     schema
	}
	answerKind struct {
		Ref, Description string
		Content          map[string]content
	}
	content struct{ Schema schema }
	schema  struct {
		Ref, Type, Description, Pattern, Format string
		Enum                                    []any
		Const                                   any
		Required                                []string
		Items                                   *schema
		Properties                              yaml.MapSlice
		OneOf                                   []schema `yaml:"oneOf"`
	}
)

// references lets $ref be read into a field.
var references = regexp.MustCompile(`\$ref:`)

// docsOf reads the document.
func docsOf(text []byte) (*docs, error) {
	var d apiDocument
	if err := yaml.UnmarshalWithOptions(references.ReplaceAll(text, []byte("ref:")), &d, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	view := &docs{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description}
	for _, tag := range d.Tags {
		view.Groups = append(view.Groups, docsGroup{Name: tag.Name, Description: tag.Description})
	}
	for _, path := range d.Paths {
		if err := view.addPath(&d, path); err != nil {
			return nil, err
		}
	}
	for _, one := range d.Components.Schemas {
		s := docsSchema{Name: fmt.Sprint(one.Key)}
		if err := again(one.Value, &s.Is); err != nil {
			return nil, err
		}
		for _, field := range s.Is.Properties {
			f := docsField{Name: fmt.Sprint(field.Key)}
			if err := again(field.Value, &f.Is); err != nil {
				return nil, err
			}
			s.Fields = append(s.Fields, f)
		}
		view.Schemas = append(view.Schemas, s)
	}
	return view, nil
}

func (view *docs) addPath(d *apiDocument, path yaml.MapItem) error {
	methods, _ := path.Value.(yaml.MapSlice)
	for _, method := range methods {
		op := docsOperation{Method: strings.ToUpper(fmt.Sprint(method.Key)), Path: fmt.Sprint(path.Key)}
		if err := again(method.Value, &op.operation); err != nil {
			return err
		}
		for i, p := range op.Parameters {
			if p.Ref != "" {
				op.Parameters[i] = d.Components.Parameters[schemaName(p.Ref)]
			}
		}
		for status, a := range op.Responses {
			if a.Ref != "" {
				op.Responses[status] = d.Components.Responses[schemaName(a.Ref)]
			}
		}
		for i := range view.Groups {
			if slices.Contains(op.Tags, view.Groups[i].Name) {
				view.Groups[i].Operations = append(view.Groups[i].Operations, op)
			}
		}
	}
	return nil
}

// again reads a part of the document into its type.
func again(part, into any) error {
	text, err := yaml.Marshal(part)
	if err != nil {
		return fmt.Errorf("read openapi.yaml: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, into, yaml.UseOrderedMap()); err != nil {
		return fmt.Errorf("read openapi.yaml: %w", err)
	}
	return nil
}

// schemaName is the last part of a reference.
func schemaName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// kindOf says in a line what a value looks like; a reference is told by its name.
func kindOf(s schema) string {
	var words []string
	switch {
	case s.Const != nil:
		words = append(words, fmt.Sprintf("%q", fmt.Sprint(s.Const)))
	case len(s.Enum) > 0:
		for _, one := range s.Enum {
			words = append(words, fmt.Sprintf("%q", fmt.Sprint(one)))
		}
		return strings.Join(words, " | ")
	case s.Items != nil && s.Items.Ref != "":
		words = append(words, "array of "+schemaName(s.Items.Ref))
	case s.Items != nil:
		words = append(words, "array of "+kindOf(*s.Items))
	case s.Type != "":
		words = append(words, s.Type)
	}
	for _, more := range []string{s.Format, s.Pattern} {
		if more != "" {
			words = append(words, more)
		}
	}
	return strings.Join(words, " ")
}
