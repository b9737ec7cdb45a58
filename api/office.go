package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/reconcile"
)

// departmentRoles are the departments that roles belong to whatever department an account is of.
var departmentRoles = map[string][]Role{
	string(reconcile.Finance): {people.FinanceMaker, people.FinanceChecker},
	string(reconcile.IT):      {people.ITOperator},
}

// workingGroup is the emergency plan's: its head is a leader, its members are the heads of the departments (2.1.2).
const workingGroup = "working_group"

// mayActAs refuses an office of the emergency plan that the caller cannot hold: the groups that command, and their heads, are the
// leaders'; for the working group the heads of departments sign too (2.1.2). A department is for its people, and its head for whoever was
// granted that. Offices that the plan names without a group, such as 项目负责人, are held by whoever is meant. An office that there
// is none of is the desk's to refuse.
func (s *server) mayActAs(c *gin.Context, office string) error {
	p := s.Incident.Plan()
	if s.caller(c).Holds(p, office) {
		return nil
	}
	return problem(http.StatusForbidden, "office_not_held", "您的账号不能以"+p.PartyName(office)+"的身份操作：指挥机构由分管领导签署，应急工作小组也可由科室负责人签署，科室由本科室人员、其负责人由有此角色的人签署")
}

// Holds says whether the caller may act as an office of a plan; one that the plan does not know is nobody's to refuse here.
func (c Caller) Holds(p *incident.Plan, office string) bool {
	party := p.Party(office)
	if party == nil {
		return true
	}
	group := p.Party(party.MemberOf)
	if group == nil {
		group = party
	}
	if home := p.Party(group.MappedTo); home != nil { // 财务 is the finance department's
		group = home
	}
	switch group.Kind {
	case "command":
		return c.Has(people.Leader) || office == workingGroup && c.Has(people.Head)
	case "department":
		mine := group.Name == c.Department || c.Has(departmentRoles[group.Name]...)
		return mine && (party.MemberOf == "" || c.Has(people.Head))
	}
	return true
}
