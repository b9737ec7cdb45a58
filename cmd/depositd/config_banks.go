package main

import (
	"fmt"
	"os"

	"depositd/bank"
)

type configBanksCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// Run checks banks.yaml and prints it with every default filled in.
func (s *configBanksCmd) Run(c *call) error {
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	set, err := readBanks(config.banksFile, os.ReadFile)
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(c.stdout, banksJSON(set))
	}
	fmt.Fprintf(c.stdout, "# %s：%d 家银行，检查通过\n%s", config.banksFile, len(set.All()), set.Describe())
	return nil
}

func banksJSON(set *bank.Set) any {
	type call struct {
		URL        string `json:"url"`
		Timeout    string `json:"timeout"`
		LeasedLine bool   `json:"leased_line"`
	}
	type numbers struct {
		From           bank.Supply `json:"from"`
		Rule           string      `json:"rule"`
		QuarantineDays int         `json:"quarantine_days"`
		LeadDays       int         `json:"lead_days"`
		LowWater       int         `json:"low_water"`
	}
	type one struct {
		Code           string       `json:"code"`
		Name           string       `json:"name"`
		Adapter        string       `json:"adapter"`
		Statement      string       `json:"statement"`
		CutOff         string       `json:"cut_off"`       // "24:00": none
		ResendWithin   string       `json:"resend_within"` // "0s": never
		ParentAccounts []string     `json:"parent_accounts"`
		Charset        bank.Charset `json:"charset"`
		Notices        bank.Notices `json:"notices"`
		Seal           bank.Scheme  `json:"seal"`
		Call           *call        `json:"call"`
		PayoutFolder   string       `json:"payout_folder"`
		ResultFolder   string       `json:"result_folder"`
		Numbers        numbers      `json:"numbers"`
	}
	list := []one{}
	for _, b := range set.All() {
		o := one{b.Code, b.Name, b.Adapter.Name, b.StatementAdapter.Name, b.CutOffText(), b.ResendWithin.String(), b.ParentAccounts, b.Charset, b.Notices, b.Seal.Scheme, nil, b.Drop.Payouts, b.Drop.Results,
			numbers{b.Numbers.From, b.Numbers.Rule.String(), b.Numbers.QuarantineDays, b.Numbers.LeadDays, b.Numbers.LowWater}}
		if b.Reach.URL != "" {
			o.Call = &call{b.Reach.URL, b.Reach.Timeout.String(), b.Reach.LeasedLine}
		}
		list = append(list, o)
	}
	return map[string]any{"banks": list}
}
