package api

import (
	"bytes"
	_ "embed" // the printable page
	"html/template"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// getIncidentPlan is the plan that new incidents are opened under, byte for byte.
func (s *server) getIncidentPlan(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	c.Data(http.StatusOK, "application/yaml", s.Incident.Plan().Body())
	return nil
}

// getTimeline is what happened after a line.
func (s *server) getTimeline(c *gin.Context) error {
	id, after, err := s.incidentAfter(c)
	if err != nil {
		return err
	}
	if _, err := incident.ByID(c.Request.Context(), s.DB, id); err != nil {
		return err
	}
	all, err := incident.Timeline(c.Request.Context(), s.DB, id, after)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, IncidentTimeline{entriesOf(all, s.Incident.Plan())})
	return nil
}

// incidentAfter is the incident in the path, and after which line of its timeline is asked; 0: for all of it.
func (s *server) incidentAfter(c *gin.Context) (id sqldb.ID, after int64, err error) {
	if id, err = s.incidentParam(c); err != nil {
		return 0, 0, err
	}
	if err := onlyParameters(c, "after"); err != nil {
		return 0, 0, err
	}
	if said := c.Query("after"); said != "" {
		if after, err = strconv.ParseInt(said, 10, 64); err != nil || after < 0 {
			return 0, 0, badParameter("after", "parameter_malformed", "after 应为时间线条目的序号")
		}
	}
	return id, after, nil
}

// postFile takes a file as evidence, as it is.
func (s *server) postFile(c *gin.Context) error {
	id, err := s.incidentParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c, "as", "name", "step", "text"); err != nil {
		return err
	}
	by, err := s.person(c)
	if err != nil {
		return err
	}
	for _, name := range []string{"as", "name"} {
		if c.Query(name) == "" {
			return badParameter(name, "field_missing", "请用 "+name+" 参数写明（as 为职务或部门，name 为文件名）")
		}
	}
	if err := s.mayActAs(c, c.Query("as")); err != nil {
		return err
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	kept, err := s.Incident.Attach(c.Request.Context(), by, c.Query("as"), id, incident.Evidence{Step: c.Query("step"), Kind: incident.AsFile, Text: c.Query("text"), Name: c.Query("name"),
		MediaType: c.ContentType(), Content: raw})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, evidenceOf(kept))
	return nil
}

// getFile gives a file back, to be saved and not shown: whatever it claims to be, the browser runs none of it.
func (s *server) getFile(c *gin.Context) error {
	file, err := keyParam(c, "file")
	if err != nil {
		return err
	}
	id, err := s.incidentParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	x, body, err := incident.Content(c.Request.Context(), s.DB, id, file)
	if err != nil {
		return err
	}
	download(c, "application/octet-stream", x.Name, body)
	return nil
}

func download(c *gin.Context, kind, name string, body []byte) {
	c.Header("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	c.Data(http.StatusOK, kind, body)
}

//go:embed incident.html
var incidentHTML string

var incidentTemplate = template.Must(template.New("incident").Funcs(template.FuncMap{
	"wall":   deposit.Wall,
	"wallIf": wallIf, "names": officeNames, "took": tookText,
}).Parse(incidentHTML))

func officeNames(all []Office) string {
	return strings.Join(toldOf(all, func(o Office) string { return o.Name }), "、")
}

// tookText prints seconds for people.
func tookText(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return incident.Lasted(time.Duration(seconds) * time.Second)
}

// getIncidentPage is the incident as a page to print: a file that holds its own style, runs nothing and loads nothing.
func (s *server) getIncidentPage(c *gin.Context) error {
	r, err := s.exported(c)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := incidentTemplate.Execute(&page, r); err != nil {
		return err
	}
	download(c, "text/html; charset=utf-8", r.Number+".html", page.Bytes())
	return nil
}

// getIncidentBook is the incident as a workbook.
func (s *server) getIncidentBook(c *gin.Context) error {
	r, err := s.exported(c)
	if err != nil {
		return err
	}
	book, err := sheet.Book(r.pages()...)
	if err != nil {
		return err
	}
	download(c, xlsxType, r.Number+".xlsx", book)
	return nil
}

func (s *server) exported(c *gin.Context) (*IncidentRecord, error) {
	id, err := s.incidentParam(c)
	if err != nil {
		return nil, err
	}
	if err := onlyParameters(c); err != nil {
		return nil, err
	}
	return s.incidentRecord(c.Request.Context(), id)
}

// pages are the sheets of an incident's workbook. A drill's mark stands in the number, which stands on each of them.
func (r *IncidentRecord) pages() []sheet.Page {
	facts := [][]string{{"项目", "内容"}}
	for _, fact := range r.Facts() {
		facts = append(facts, fact[:])
	}
	title := func(head ...string) [][]string { return [][]string{append([]string{"事件编号"}, head...)} }
	signed, steps, found, told, done := title("签署", "级别", "签署人", "职务", "内容", "时间", "签署时间"), title("步骤", "内容", "负责", "配合", "状态", "办理人", "结果", "开始", "结束"),
		title("步骤", "类型", "内容", "文件", "提供人", "时间"), title("序号", "时间", "人员", "职务", "类别", "内容"), title("类别", "内容", "责任人", "期限", "状态", "结果")
	for _, x := range r.Signatures {
		signed = append(signed, []string{r.Number, x.ActName, x.LevelName, x.Person, x.OfficeName, x.Text, deposit.Wall(x.HappenedAt), deposit.Wall(x.SignedAt)})
	}
	for _, x := range r.Steps {
		steps = append(steps, []string{r.Number, x.Key, x.Text, officeNames(x.Owners), officeNames(x.Helpers), x.stateText(), x.Person, x.Outcome, wallIf(x.StartedAt), wallIf(x.EndedAt)})
	}
	for _, x := range r.Evidence {
		found = append(found, []string{r.Number, x.Step, string(x.Kind), x.Words(), x.Name, x.Person, deposit.Wall(x.At)})
	}
	for _, x := range r.Timeline {
		told = append(told, []string{r.Number, strconv.FormatInt(x.Seq, 10), deposit.Wall(x.At), x.Person, x.OfficeName, x.KindName, x.Text})
	}
	for _, x := range r.Backfills {
		done = append(done, []string{r.Number, "数据补录", x.Text, x.Person, deposit.Wall(x.At), strconv.FormatInt(x.Records, 10) + " 笔", deposit.Wall(x.From) + " 至 " + deposit.Wall(x.To)})
	}
	for _, x := range r.Actions {
		done = append(done, []string{r.Number, "整改事项", x.Text, x.Owner, x.DueOn, x.StateName, x.Outcome})
	}
	return []sheet.Page{{Name: "事件", Widths: []int{18, 80}, Rows: facts}, {Name: "签署", Widths: []int{24, 18, 14, 14, 18, 50, 20, 20}, Rows: signed},
		{Name: "步骤", Widths: []int{24, 14, 60, 24, 24, 10, 12, 40, 20, 20}, Rows: steps}, {Name: "证据", Widths: []int{24, 14, 10, 60, 24, 14, 20}, Rows: found},
		{Name: "时间线", Widths: []int{24, 6, 20, 14, 18, 12, 80}, Rows: told}, {Name: "补录与整改", Widths: []int{24, 12, 60, 14, 20, 12, 50}, Rows: done}}
}

func wallIf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return deposit.Wall(*t)
}

// stateText is the step's state, or that its branch was not chosen.
func (x *IncidentStep) stateText() string {
	if !x.Plays && x.EndedAt == nil {
		return "未采用"
	}
	return x.StateName
}

// Words is the evidence's text with its figures.
func (x *IncidentEvidence) Words() string {
	text := x.Text
	for _, n := range x.Numbers {
		text += "\n" + n.Name + "：" + n.Value
	}
	return text
}

// Facts are what stands at the head of an export.
func (r *IncidentRecord) Facts() (facts [][2]string) {
	account := strings.TrimSpace(r.Bank + " " + r.ParentAccount)
	for _, fact := range [][2]string{{"事件编号", r.Number}, {"情形", r.Scenario + " " + r.ScenarioName}, {"标题", r.Title}, {"说明", r.Detail}, {"来源", r.SourceName + "，" + r.ReportedBy},
		{"状态", r.StateName}, {"级别", r.LevelName}, {"建议级别", r.Suggestion.LevelName + "：" + r.Suggestion.Why}, {"故障范围", r.ScopeName}, {"母账户", account}, {"标段", r.Lot}, {"科室", r.Department},
		{"故障开始", deposit.Wall(r.BeganAt)}, {"上报时间", deposit.Wall(r.ReportedAt)}, {"确认时间", wallIf(r.ConfirmedAt)}, {"评估确认时间", wallIf(r.AssessedAt)},
		{"通知开始时间", wallIf(r.NoticeStartAt)}, {"应急预案结束时间", wallIf(r.PlanEndAt)}, {"通知截止时间", wallIf(r.NoticeEndAt)}, {"回顾时间", wallIf(r.ReviewedAt)}, {"排除时间", wallIf(r.DismissedAt)}} {
		if fact[1] != "" {
			facts = append(facts, fact)
		}
	}
	if r.Fault != nil {
		facts = append(facts, [2]string{"故障所在", r.Fault.SideName}, [2]string{"支持的事实", strings.Join(r.Fault.For, "；")}, [2]string{"反对的事实", strings.Join(r.Fault.Against, "；")})
	}
	return facts
}
