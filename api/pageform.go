package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
)

// formOf reads what a page's form sends as if it were the body of the JSON twin, so that both are checked by the same words:
// what is left empty is absent, line breaks are blanks, the fields named are numbers, and
// an amount may be written with commas.
func formOf(c *gin.Context, numbers ...string) (*form, error) {
	if err := c.Request.ParseForm(); err != nil {
		return nil, err
	}
	f := &form{wrong: &complaints{}, fields: map[string]any{}}
	for name, values := range c.Request.PostForm {
		value := strings.Join(strings.Fields(values[0]), " ")
		switch {
		case value == "":
		case name == "amount":
			f.fields[name] = strings.ReplaceAll(value, ",", "")
		case slices.Contains(numbers, name):
			f.fields[name] = json.Number(strings.ReplaceAll(value, ",", ""))
		default:
			f.fields[name] = value
		}
	}
	return f, nil
}

// formOnOne is who acts on what the path names, and the form that he sends; as actOnOne for a JSON body.
func (s *server) formOnOne(c *gin.Context, numbers ...string) (id sqldb.ID, by string, f *form, err error) {
	if id, err = idParam(c); err != nil {
		return 0, "", nil, err
	}
	if by, err = s.person(c); err != nil {
		return 0, "", nil, err
	}
	f, err = formOf(c, numbers...)
	return id, by, f, err
}

// chosen are the keys that were ticked.
func chosen(c *gin.Context, name string) (all []string) {
	for _, text := range c.Request.PostForm[name] {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}
