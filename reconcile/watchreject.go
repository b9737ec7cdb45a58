package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"depositd/bank"
	"depositd/platform/incident"
)

// rejectedSign is of messages that are understood, or would be, and refused.
func (f *pushFacts) rejectedSign(refused map[bank.Rejection]int) incident.Sign {
	s := f.sign(SignRejected, f.bank.Name+"：推送的报文被本系统拒收")
	s.Since = f.firstRefusal(bank.Disbelieved, bank.Unwelcome, bank.Broken)
	s.Detail = "近两小时有报文因验签、内容或本系统自身原因被拒收"
	var w weighing
	w.say(refused[bank.Broken] > 0, incident.SideOurs, "本系统程序处理报文时出错")
	w.say(f.clockOff.Abs() > 2*time.Second, incident.SideOurs, "本机时钟不准，时间戳校验可能误拒")
	if e := f.changedBefore(s.Since); e != nil {
		w.say(true, incident.SideOurs, "拒收开始前 24 小时内本系统有变动："+e.Note)
	}
	codes := f.codesOf(bank.Disbelieved, bank.Unwelcome)
	w.say(codes["seal_wrong"], incident.SideBank, "签名与已登记的任何一把密钥都不符，银行可能更换了密钥")
	w.say(codes["seal_key"], incident.SideBank, "报文所用密钥的编号未登记、尚未生效或已过期")
	w.say(codes["seal_peer"], incident.SideLink, "来源地址或客户端证书不是登记的，可能改了线路，或来自他人")
	w.say(codes["seal_stale"] && f.clockOff.Abs() <= 2*time.Second, incident.SideBank, "时间戳相差过大，本机时钟一致，银行时钟可能不准")
	w.say(codes["seal_missing"] || codes["seal_malformed"], incident.SideLink, "报文缺少签名报文头，可能被中间设备去掉，或来自他人")
	w.say(codes["parent_account_unknown"], incident.SideBank, "报文中的母账户不是登记的账户")
	w.say(codes["aggregate_unexpected"] || codes["notices_not_expected"], incident.SideBank, "推送方式与约定不符")
	w.say(codes["replay_differs"], incident.SideBank, "同一报文编号用于不同内容")
	w.say(f.takenToday() > 0 && refused[bank.Broken] == 0, incident.SideBank, "同期另有报文正常接收，接收程序在工作")
	s.Fault = w.fault()
	return f.provedRefusal(s, "请银行核对："+refusalsText(f.codesOf(bank.Disbelieved, bank.Unwelcome, bank.Broken))+"；核实密钥版本、报文头与母账户")
}

// unreadableSign is of messages that cannot be decoded, more than usual.
func (f *pushFacts) unreadableSign(n int) incident.Sign {
	s := f.sign(SignUndecodable, f.bank.Name+"：无法解码的报文增多")
	s.Since = f.firstRefusal(bank.Unreadable)
	s.Detail = fmt.Sprint("近两小时无法解码的报文 ", f.veil.Count(n), " 条，明显多于平常")
	var w weighing
	codes := f.codesOf(bank.Unreadable)
	w.say(codes["charset"] || codes["charset_wrong"], incident.SideBank, "报文的字符集与声明不符")
	heard := f.takenToday() > 0 || f.rhythm.Known()
	w.say(heard && f.changedBefore(s.Since) == nil, incident.SideBank, "本系统近 24 小时没有升级或改动设置，而同一程序此前能够解码")
	w.say(!heard, incident.SideOurs, "近四周没有成功接收过该银行的推送，可能是首次对接，或 banks.yaml 的 adapter、charset 与银行不符")
	w.say(!heard, incident.SideBank, "报文无法解码：可能不是约定的格式")
	if e := f.changedBefore(s.Since); e != nil {
		w.say(true, incident.SideOurs, "解码失败前 24 小时内本系统有变动："+e.Note)
	}
	w.say(f.takenToday() > 0 && f.changedBefore(s.Since) == nil, incident.SideBank, "同期另有报文正常解码")
	s.Fault = w.fault()
	return f.provedRefusal(s, "请银行说明报文格式是否调整，并提供一份样例；错误代码："+refusalsText(codes))
}

// provedRefusal adds the evidence per step.
func (f *pushFacts) provedRefusal(s incident.Sign, ask string) incident.Sign {
	var p proofs
	if !f.last.IsZero() {
		p.know("2.1", "银行仍在推送，最近一次："+f.veil.When(f.last))
	}
	p.know("2.1", f.linkText())
	p.ask("2.1", "致电"+f.bank.Name+"科技部门。"+ask, "故障排除后请银行补推被拒收的通知，重复推送不会重复入账")
	f.proveTaking(&p)
	p.know("2.3", f.changesText(s.Since)...)
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

// codesOf are the reasons of the last day's refusals of some kinds.
func (f *pushFacts) codesOf(kinds ...bank.Rejection) map[string]bool {
	codes := map[string]bool{}
	for _, p := range f.today {
		if p.Code != "" && slices.Contains(kinds, bank.RejectionOf(p.Code)) {
			codes[p.Code] = true
		}
	}
	return codes
}

// firstRefusal is the hour in which the last day's refusals of some kinds began.
func (f *pushFacts) firstRefusal(kinds ...bank.Rejection) time.Time {
	for _, p := range f.today {
		if p.Code != "" && slices.Contains(kinds, bank.RejectionOf(p.Code)) {
			return p.Hour
		}
	}
	return time.Time{}
}

// takenToday counts the messages of the last day that were taken.
func (f *pushFacts) takenToday() (n int) {
	for _, p := range f.today {
		if p.Code == "" {
			n += p.Count
		}
	}
	return n
}

func refusalsText(codes map[string]bool) string { return Listed(sortedKeys(codes)) }

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
