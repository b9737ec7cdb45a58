package api

import (
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/incident"
)

// actedOnPage does for a form what acted does for JSON, and shows the incident again with what was done.
func actedOnPage[T any](s *server, done string, act func(*gin.Context, *asker) (T, error)) func(*gin.Context) error {
	return func(c *gin.Context) error {
		a, err := s.formAsker(c)
		if err != nil {
			return err
		}
		if _, err := act(c, &a); err != nil {
			return err
		}
		return s.afterAct(c, a.id, done)
	}
}

func (s *server) afterAct(c *gin.Context, id sqldb.ID, done string) error {
	if !partial(c) {
		return seeOther(c, "/incidents/"+id.String())
	}
	return s.showIncident(c, id, done)
}

// formAsker is askerOf for a form.
func (s *server) formAsker(c *gin.Context) (a asker, err error) {
	if err := onlyParameters(c); err != nil {
		return a, err
	}
	if a.id, err = s.incidentKey(c); err != nil {
		return a, err
	}
	if a.by, err = s.person(c); err != nil {
		return a, err
	}
	if a.form, err = incidentForm(c); err != nil {
		return a, err
	}
	s.ask(c, &a)
	return a, nil
}

// incidentForm reads a form in which times stand as <input type=datetime-local> writes them, in Shanghai, and what JSON has as
// objects as fields side by side.
func incidentForm(c *gin.Context) (*form, error) {
	f, err := formOf(c, "version", "records")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"at", "from", "to", "began_at", "reported_at", "event_at"} {
		if wall, ok := f.fields[name].(string); ok {
			f.fields[name] = offsetTime(wall)
		}
	}
	if f.fields["drill"] == "1" {
		f.fields["drill"] = true
	}
	if account, ok := f.fields["account"].(string); ok {
		bank, parent, _ := strings.Cut(account, "/")
		f.fields["bank"], f.fields["parent_account"] = bank, parent
	}
	if event := side(map[string]any{"event": f.fields["event"], "at": f.fields["event_at"]}); event != nil {
		f.fields["deadlines"] = []any{event}
	}
	var figures []any
	for i, name := range c.Request.PostForm["number_name"] {
		if values := c.Request.PostForm["number_value"]; i < len(values) {
			if one := side(map[string]any{"name": written(name), "value": written(values[i])}); one != nil {
				figures = append(figures, one)
			}
		}
	}
	if figures != nil {
		f.fields["numbers"] = figures
	}
	for _, name := range []string{"account", "event", "event_at", "number_name", "number_value"} {
		delete(f.fields, name)
	}
	return f, nil
}

// offsetTime writes a time of Shanghai as JSON has it.
func offsetTime(wall string) string {
	if len(wall) == len("2006-01-02T15:04") {
		wall += ":00"
	}
	return wall + "+08:00"
}

// side is fields that belong together as an object; nil where all are empty.
func side(fields map[string]any) any {
	for _, value := range fields {
		if value != nil {
			return fields
		}
	}
	return nil
}

// written is a field's value; nil where it is empty.
func written(said string) any {
	if said = strings.Join(strings.Fields(said), " "); said == "" {
		return nil
	}
	return said
}

// attachOnPage takes what was found out: a file with or without words, or words with or without figures.
func (s *server) attachOnPage(c *gin.Context) error {
	if _, err := c.MultipartForm(); err != nil {
		if p := problemOf(err); p.Status < http.StatusInternalServerError {
			return p
		}
		return problem(http.StatusBadRequest, "form_malformed", "表单没有传完整，请刷新页面后重试")
	}
	a, err := s.formAsker(c)
	if err != nil {
		return err
	}
	if header, none := c.FormFile("file"); none != nil {
		_, err = s.postEvidence(c, &a)
	} else {
		err = s.attachFile(c, &a, header)
	}
	if err != nil {
		return err
	}
	return s.afterAct(c, a.id, "证据已保存")
}

func (s *server) attachFile(c *gin.Context, a *asker, header *multipart.FileHeader) error {
	e := incident.Evidence{Step: a.form.textIf("step", mostOffice), Kind: incident.AsFile, Text: a.form.textIf("text", mostWords), Name: header.Filename, MediaType: header.Header.Get("Content-Type")}
	if err := a.done(); err != nil {
		return err
	}
	file, err := header.Open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if e.Content, err = io.ReadAll(file); err != nil {
		return err
	}
	_, err = s.Incident.Attach(c.Request.Context(), a.by, a.office, a.id, e)
	return err
}
