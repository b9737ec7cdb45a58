package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// formOf reads what a page's form sends as if it were the body of the JSON twin, so that both are checked by the same words:
// what is left empty is absent, line breaks are blanks, and the fields named are numbers.
func formOf(c *gin.Context, numbers ...string) (*form, error) {
	if err := c.Request.ParseForm(); err != nil {
		return nil, err
	}
	f := &form{wrong: &complaints{}, fields: map[string]any{}}
	for name, values := range c.Request.PostForm {
		value := strings.Join(strings.Fields(values[0]), " ")
		switch {
		case value == "":
		case slices.Contains(numbers, name):
			f.fields[name] = json.Number(strings.ReplaceAll(value, ",", ""))
		default:
			f.fields[name] = value
		}
	}
	return f, nil
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
