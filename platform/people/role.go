package people

import (
	"slices"
	"strings"

	"depositd/platform/deposit"
)

// Role is what somebody is allowed to be here: a person by what was granted, a machine by the scopes of its token.
type Role string

// The roles of persons.
const (
	FinanceMaker   Role = "finance_maker"   // 综合科经办: makes batches, closes findings
	FinanceChecker Role = "finance_checker" // 综合科复核: checks what another made
	Department     Role = "department"      // a business department: its own lots
	Leader         Role = "leader"          // 分管领导: releases payments, one of two at an opening
	Auditor        Role = "auditor"         // reads everything that may be read, changes nothing
	ITOperator     Role = "it_operator"     // keeps the service running, loads numbers; never money
	Head           Role = "department_head" // 科室负责人: beside the role of their department; signs for it, and as one of the emergency plan's working group
	SystemAdmin    Role = "system_admin"    // 系统管理员: makes and stops accounts
	SecurityAdmin  Role = "security_admin"  // 安全管理员: grants roles
	AuditAdmin     Role = "audit_admin"     // 审计管理员: watches over the audit trail and over the other two
)

// The roles of machines: the scopes of a token.
const (
	Platform   Role = "platform"   // the trading platform: lots, bids, events, sub-accounts
	Statements Role = "statements" // brings a bank's statement files
)

// names is the closed list of roles with what people call them; a test holds every role in it.
var names = map[Role]string{
	FinanceMaker: "综合科经办", FinanceChecker: "综合科复核", Department: "业务科室", Leader: "分管领导（放行）", Auditor: "审计员", ITOperator: "运维员", Head: "科室负责人",
	SystemAdmin: "系统管理员", SecurityAdmin: "安全管理员", AuditAdmin: "审计管理员",
	Platform: "交易平台", Statements: "对账文件上传",
}

// OfPersons and Scopes are the roles that a person can be granted and that a token can have, each in the order of their importance
// to a reader.
var (
	OfPersons = []Role{FinanceMaker, FinanceChecker, Leader, Department, Auditor, ITOperator, Head, SystemAdmin, SecurityAdmin, AuditAdmin}
	Scopes    = []Role{Platform, Statements}
)

// Chinese is the role's name for people.
func (r Role) Chinese() string { return names[r] }

// secondFactor are the roles that nobody acts in with a password alone: money, opening, and whoever rules over accounts
// (GB/T 22239 三级 身份鉴别 d).
var secondFactor = []Role{FinanceMaker, FinanceChecker, Leader, ITOperator, SystemAdmin, SecurityAdmin, AuditAdmin}

// apart are the roles of which one person has one at most: the three administrators (GB/T 22239 三级 系统管理, 审计管理, 安全管理),
// and whoever keeps the machine against whoever moves the money.
var apart = [][]Role{
	{SystemAdmin, SecurityAdmin, AuditAdmin},
	{ITOperator, FinanceMaker}, {ITOperator, FinanceChecker}, {ITOperator, Leader},
	{SystemAdmin, FinanceMaker}, {SystemAdmin, FinanceChecker}, {SystemAdmin, Leader},
	{SecurityAdmin, FinanceMaker}, {SecurityAdmin, FinanceChecker}, {SecurityAdmin, Leader},
	{AuditAdmin, FinanceMaker}, {AuditAdmin, FinanceChecker}, {AuditAdmin, Leader},
	{Auditor, FinanceMaker}, {Auditor, FinanceChecker}, {Auditor, Leader}, // nobody audits what they signed
}

// checkRoles refuses roles that are unknown, twice there, or not to be in one hand.
func checkRoles(roles, allowed []Role, department string) error {
	for i, r := range roles {
		if !slices.Contains(allowed, r) {
			return deposit.Refuse(deposit.Invalid, "role_unknown", "没有这个角色："+string(r)+"；可用的有 "+Join(allowed))
		}
		if slices.Contains(roles[:i], r) {
			return deposit.Refuse(deposit.Invalid, "role_twice", "角色重复："+string(r))
		}
	}
	for _, group := range apart {
		var held []string
		for _, r := range group {
			if slices.Contains(roles, r) {
				held = append(held, names[r])
			}
		}
		if len(held) > 1 {
			return deposit.Refuse(deposit.Invalid, "roles_apart", strings.Join(held, "与")+"不能由同一人担任，请分给不同的人")
		}
	}
	if slices.Contains(roles, Department) && department == "" {
		return deposit.Refuse(deposit.Invalid, "department_missing", "业务科室角色须写明所属科室")
	}
	if slices.Contains(roles, Head) && department == "" && !slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(ofDepartments, r) }) {
		return deposit.Refuse(deposit.Invalid, "department_missing", "科室负责人须写明所属科室，或同时有综合科、运维的角色")
	}
	return nil
}

// ofDepartments are the roles whose people belong to the finance or the IT department, whatever their account says.
var ofDepartments = []Role{FinanceMaker, FinanceChecker, ITOperator}

// Join writes roles as they are stored and typed: "finance_maker,department".
func Join(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ",")
}

// Split reads what Join writes.
func Split(text string) []Role {
	var roles []Role
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			roles = append(roles, Role(word))
		}
	}
	return roles
}
