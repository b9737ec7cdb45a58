package deposit

import "slices"

// Sight is how far somebody's eyes reach: over the lots of every department, of some, or, which is the zero Sight, of none.
// It says whose lots, never whether a lot may be seen yet: before its opening nobody's eyes reach into one (招标投标法 §22).
type Sight struct {
	everything  bool
	departments []string
}

// SightOfAll reaches over every department.
func SightOfAll() Sight { return Sight{everything: true} }

// SightOf reaches over the lots of these departments; of none, nowhere.
func SightOf(departments ...string) Sight { return Sight{departments: slices.Clone(departments)} }

// Everything says that the eyes reach over every department, and over what is no department's.
func (s Sight) Everything() bool { return s.everything }

// Departments are those whose lots are seen; nothing is told where that is everything.
func (s Sight) Departments() []string { return slices.Clone(s.departments) }

// Reaches says whether a department's lots are seen.
func (s Sight) Reaches(department string) bool {
	return s.everything || slices.Contains(s.departments, department)
}

// Blind says that nothing is seen.
func (s Sight) Blind() bool { return !s.everything && len(s.departments) == 0 }
