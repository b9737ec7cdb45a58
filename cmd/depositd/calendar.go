package main

import (
	"context"
	"fmt"
	"os"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

type calendarCmd struct {
	Show calendarShowCmd `cmd:"" default:"withargs" help:"打印生效的工作日历：有哪些年份，从何而来；加年份则打印其每一天"`
	Load calendarLoadCmd `cmd:"" help:"导入工作日历文件（JSON）：文件中的年份整年替换，其余年份不变；可重复执行"`
}

type calendarShowCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
	Year int  `arg:"" optional:"" help:"只看这一年的节假日与调休上班日"`
}

// Run prints the years in force, or one year's days that depart from the week.
func (s *calendarShowCmd) Run(ctx context.Context, c *call) error {
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		if s.Year != 0 {
			return s.printYear(ctx, c, db)
		}
		sources, err := platform.CalendarSources(ctx, db)
		if err != nil {
			return err
		}
		if s.JSON {
			return printJSON(c.stdout, map[string]any{"years": sources})
		}
		for _, year := range sources {
			origin := "程序自带"
			if !year.ImportedAt.IsZero() {
				origin = deposit.Wall(year.ImportedAt) + " 导入"
			}
			fmt.Fprintf(c.stdout, "%d  %s  %s\n", year.Year, pad(origin, 24), year.Source)
		}
		fmt.Fprintln(c.stdout, "未列出的年份尚无公布的安排：跨入其中的期限标为“暂定”")
		return nil
	})
}

func (s *calendarShowCmd) printYear(ctx context.Context, c *call, db *sqldb.DB) error {
	calendar, err := platform.Calendar(ctx, db)
	if err != nil {
		return err
	}
	year, known := calendar.Year(s.Year)
	if !known {
		return deposit.Refuse(deposit.NotFound, "calendar_year_unknown", "没有 ", s.Year, " 年的工作日历；公布后请用 depositd calendar load 导入")
	}
	if s.JSON {
		return printJSON(c.stdout, year)
	}
	for _, special := range year.Days {
		what := "休息"
		if special.Works {
			what = "上班"
		}
		fmt.Fprintf(c.stdout, "%s %s  %s  %s\n", special.Day, weekdays[special.Day.Start().Weekday()], what, special.Name)
	}
	return nil
}

var weekdays = [...]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}

type calendarLoadCmd struct {
	JSON bool   `name:"json" help:"以 JSON 打印结果"`
	File string `arg:"" help:"文件，格式见 depositd 自带的 cn-workdays.json"`
}

// mostCalendar bounds a calendar's file; the one of nine years has 10 KiB.
const mostCalendar = 1 << 20

// Run puts a file's years in force, all or none.
func (l *calendarLoadCmd) Run(ctx context.Context, c *call) error {
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		info, err := os.Stat(l.File)
		if err != nil {
			return usageError{err}
		}
		if info.Size() > mostCalendar {
			return usageError{fmt.Errorf("%s 超过 1 MiB，不是工作日历", l.File)}
		}
		file, err := os.ReadFile(l.File)
		if err != nil {
			return usageError{err}
		}
		done, err := platform.NewDesk(db).LoadCalendar(ctx, c.author(), file)
		if err != nil {
			return fmt.Errorf("%s：%w", l.File, err)
		}
		if l.JSON {
			return printJSON(c.stdout, map[string]any{"years": done})
		}
		for _, year := range done {
			fmt.Fprintf(c.stdout, "%d  %s\n", year.Year, loadedText(year))
		}
		return nil
	})
}

func loadedText(year platform.YearLoaded) string {
	if !year.Changed {
		return "无变化"
	}
	return "已替换：" + year.Differs
}
