package api

import (
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/platform/deposit"
	"depositd/refund"
)

// uploadPage is the form for a list, and what its last file came to.
type uploadPage struct {
	Offices    []string
	Department string
	Reference  string
	Note       string

	Looked    bool // a file was looked at
	Name      string
	Right     int
	Sum       deposit.Fen
	Wrong     int
	Faults    []ListFault
	Annotated template.URL // the same file with 错误原因, to be kept; the service keeps nothing of what it refused
}

func (s *server) pageUpload(c *gin.Context) error {
	p := uploadPage{Department: s.caller(c).Department}
	return s.showUpload(c, &p, 0)
}

func (s *server) showUpload(c *gin.Context, p *uploadPage, status int) (err error) {
	if p.Offices, err = s.offices(c.Request.Context()); err != nil {
		return err
	}
	return s.show(c, "upload", "result", view{Title: "上传名单", Menu: "/refunds", Body: p, Status: status})
}

// upload looks at a file, and takes it where that is asked for and nothing is wrong with it – or with the right lines alone, if they
// will do.
func (s *server) upload(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	raw, name, err := formFile(c)
	if err != nil {
		return err
	}
	kind := xlsxType
	if strings.HasSuffix(strings.ToLower(name), ".csv") {
		kind = csvType
	}
	p := uploadPage{Department: c.PostForm("department"), Reference: c.PostForm("reference"), Note: c.PostForm("note"), Looked: true, Name: name}
	order := refund.ListOrder{Eyes: s.sight(c), Department: p.Department, Reference: p.Reference, Note: p.Note, DryRun: c.PostForm("act") != "submit", ValidOnly: c.PostForm("valid_only") == "1"}
	for _, field := range []string{order.Department, order.Reference, order.Note} {
		if !plainText(field, mostNote) {
			return badParameter("note", "parameter_malformed", "科室、编号和说明不能有换行等控制字符，最多 400 个字符")
		}
	}
	table, err := tableOf(raw, kind)
	if err != nil {
		return err
	}
	defer table.Close()
	faults := s.orders(table, &order)
	if table.HeaderWrong() {
		order.Lines = nil
	}
	done, all, err := s.takeList(c.Request.Context(), by, order, faults)
	if err != nil {
		return err
	}
	if !order.DryRun && !refused(&order, &done, all) {
		c.Header("HX-Redirect", "/refunds/lists/"+done.List.ID.String())
		return seeOther(c, "/refunds/lists/"+done.List.ID.String())
	}
	if err := p.tell(&done, all, table); err != nil {
		return err
	}
	return s.showUpload(c, &p, 0)
}

// tell says what the file came to.
func (p *uploadPage) tell(done *refund.Submission, faults []ListFault, table *sheet.Table) error {
	p.Faults, p.Right = faults, len(done.Lines)
	for i := range done.Lines {
		p.Sum += done.Lines[i].Amount
	}
	wrong := map[int]bool{}
	for _, f := range faults {
		wrong[f.Row] = true
	}
	if p.Wrong = len(wrong); p.Wrong == 0 {
		return nil
	}
	file, err := table.Annotate(sheetFaults(faults))
	p.Annotated = template.URL("data:" + xlsxType + ";base64," + base64.StdEncoding.EncodeToString(file)) //nolint:gosec // base 64 of what was made here
	return err
}

// formFile reads the file of a form.
func formFile(c *gin.Context) (raw []byte, name string, err error) {
	header, err := c.FormFile("file")
	if err != nil || header.Size == 0 {
		return nil, "", problem(http.StatusUnprocessableEntity, "file_missing", "请选择要上传的 .xlsx 或 .csv 文件")
	}
	if header.Size > sheet.MaxFile {
		return nil, "", problem(http.StatusRequestEntityTooLarge, "body_too_large", "文件超过 2 MB，请分成几份名单")
	}
	file, err := header.Open()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }()
	raw, err = io.ReadAll(file)
	return raw, header.Filename, err
}
