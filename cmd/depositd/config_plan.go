package main

import (
	"fmt"
	"os"

	"depositd/platform/incident"
)

type configPlanCmd struct {
	Default bool `help:"打印程序自带的预案文件，可另存后修改，用 --plan 指定"`
}

// Run checks the emergency plan and prints it for people.
func (s *configPlanCmd) Run(c *call) error {
	if s.Default {
		_, err := c.stdout.Write(incident.DefaultPlan)
		return err
	}
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	plan, err := readPlan(config.planFile, os.ReadFile)
	if err != nil {
		return err
	}
	from := config.planFile
	if from == "" {
		from = "程序自带"
	}
	fmt.Fprintf(c.stdout, "# %s：检查通过\n%s", from, plan.Describe(config.planAuthority))
	return nil
}
