package main

import (
	"fmt"
	"os"

	"depositd/refund"
)

type configRefundRulesCmd struct {
	Default bool `help:"打印程序自带的规则文件，可另存后修改，用 --refund-rules 指定"`
}

// Run checks the refund rules and prints them for people.
func (s *configRefundRulesCmd) Run(c *call) error {
	if s.Default {
		_, err := c.stdout.Write(refund.DefaultRules)
		return err
	}
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	rules, err := readRefundRules(config.refundRulesFile, os.ReadFile)
	if err != nil {
		return err
	}
	from := config.refundRulesFile
	if from == "" {
		from = "程序自带"
	}
	fmt.Fprintf(c.stdout, "# %s：%d 条规则，检查通过\n%s", from, len(rules.All()), rules.Describe())
	return nil
}
