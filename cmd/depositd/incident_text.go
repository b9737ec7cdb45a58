package main

import (
	"fmt"
	"io"
	"time"

	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// printIncident prints a record for the person at the terminal: first what is to be done, then what was.
func printIncident(w io.Writer, r *incident.Record) {
	s := r.Plan.Scenario(r.Scenario)
	fmt.Fprintf(w, "%s  %s %s\n%s（%s，%s 上报）\n", r.Name(), s.ID, s.Name, r.Title, r.ReportedBy, deposit.Wall(r.ReportedAt))
	fmt.Fprintf(w, "状态：%s    级别：%s    建议：%s（%s）\n", r.State.Chinese(), r.Plan.LevelName(r.Level), suggestedName(r), r.Suggestion.Why)
	if !r.Suggestion.Next.IsZero() && r.Open() {
		fmt.Fprintf(w, "若持续至 %s 之后，级别将变化\n", deposit.Wall(r.Suggestion.Next))
	}
	if f := r.Fault(); f != nil {
		fmt.Fprintf(w, "故障所在：%s\n", f.Side.Chinese())
		printList(w, "  支持：", f.For)
		printList(w, "  反对：", f.Against)
	}
	printPending(w, r)
	for _, c := range r.Countdowns {
		fmt.Fprintf(w, "时限：%s %s  %s\n", c.Step, c.Text, leftText(&c, r.Now))
	}
	printSteps(w, r, s)
	for _, x := range r.Exhibits {
		fmt.Fprintf(w, "证据：%s  %s %s（%s %s）\n", x.Step, x.Text, x.Name, x.Person, deposit.Wall(x.At))
		for _, n := range x.Numbers {
			fmt.Fprintf(w, "        %s：%s\n", n.Name, n.Value)
		}
	}
	for _, e := range r.Timeline {
		who := e.Person
		if e.Office != "" {
			who += "（" + r.Plan.PartyName(e.Office) + "）"
		}
		fmt.Fprintf(w, "%s  %s  %s  %s\n", deposit.Wall(e.At), pad(e.Kind.Chinese(), 8), who, e.Text)
	}
}

func suggestedName(r *incident.Record) string {
	if r.Suggestion.Gap {
		return "预案没有规定"
	}
	return r.Plan.LevelName(r.Suggestion.Level)
}

func printList(w io.Writer, label string, texts []string) {
	for _, text := range texts {
		fmt.Fprintf(w, "%s%s\n", label, text)
	}
}

// printPending tells who has to sign what, with the words that the commands take.
func printPending(w io.Writer, r *incident.Record) {
	for _, p := range r.Pending {
		offices, who := p.Missing, "待 "
		if !p.All {
			offices, who = p.Wanted, "可由任一："
		}
		names := "任何部门"
		if len(offices) > 0 {
			names = ""
		}
		for n, office := range offices {
			if n > 0 {
				names += "、"
			}
			names += r.Plan.PartyName(office) + " " + office
		}
		fmt.Fprintf(w, "可签：%s %s  %s%s\n", pad(string(p.Act), 8), pad(p.Act.Chinese(), 18), who, names)
	}
}

func leftText(c *incident.Countdown, now time.Time) string {
	switch {
	case c.Until.IsZero():
		return "截止时间尚未登记"
	case !c.Ended.IsZero() && c.Passed(now):
		return "已完成，超过 " + deposit.Wall(c.Until)
	case !c.Ended.IsZero():
		return "已按时完成"
	case c.Passed(now):
		return "已超过 " + deposit.Wall(c.Until)
	}
	return fmt.Sprintf("剩 %s，至 %s", incident.Lasted(c.Until.Sub(now)), deposit.Wall(c.Until))
}

func printSteps(w io.Writer, r *incident.Record, s *incident.Scenario) {
	if r.Branch == "" && s.Chooses() {
		fmt.Fprintln(w, "尚未选择方案：")
		for _, b := range s.Branches {
			if b.Title != "" {
				fmt.Fprintf(w, "  %s  %s\n", b.ID, b.Title)
			}
		}
	}
	for _, step := range r.Steps {
		if !step.Plays && step.State == incident.StepOpen {
			continue
		}
		fmt.Fprintf(w, "步骤 %s 〔%s〕 %s（%s）", step.Step, incident.StepStateName(step.State), step.Plan.Text, r.Plan.Names(step.Plan.Owners))
		if step.Text != "" {
			fmt.Fprintf(w, "：%s", step.Text)
		}
		fmt.Fprintln(w)
	}
}
