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

// mayActAs refuses an office of the emergency plan that the caller cannot hold: the groups that command, and their heads, are the
// leaders'; a department and its head are for the people of that department. Offices that the plan names without a group, such
// as 项目负责人, are held by whoever is meant. An office that there is none of is the desk's to refuse.
func (s *server) mayActAs(c *gin.Context, office string) error {
	p := s.Incident.Plan()
	party := p.Party(office)
	if party == nil || holds(s.caller(c), p, party) {
		return nil
	}
	return problem(http.StatusForbidden, "office_not_held", "您的账号不能以"+party.Name+"的身份操作：指挥机构由分管领导签署，科室由本科室人员签署")
}

func holds(who Caller, p *incident.Plan, party *incident.Party) bool {
	if group := p.Party(party.MemberOf); group != nil {
		party = group
	}
	if home := p.Party(party.MappedTo); home != nil { // 财务 is the finance department's
		party = home
	}
	switch party.Kind {
	case "command":
		return who.Has(people.Leader)
	case "department":
		return party.Name == who.Department || who.Has(departmentRoles[party.Name]...)
	}
	return true
}
