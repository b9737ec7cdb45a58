package main

import (
	"context"
	"fmt"

	"depositd/platform/people"
)

type departmentCmd struct {
	Add  departmentAddCmd  `cmd:"" help:"增加科室；名称与交易平台标段上的一致"`
	List departmentListCmd `cmd:"" help:"列出科室"`
}

type departmentAddCmd struct {
	Name string `arg:"" help:"名称"`
}

// Run adds a department.
func (d *departmentAddCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error { return desk.AddDepartment(ctx, c.author(), d.Name) })
}

type departmentListCmd struct{}

// Run lists the departments.
func (*departmentListCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		all, err := desk.Departments(ctx)
		for _, name := range all {
			fmt.Fprintln(c.stdout, name)
		}
		return err
	})
}
