package banksim

import (
	"maps"
	"slices"

	"depositd/bank"
	"depositd/platform/deposit"
)

// pool is the sub-account numbers of one parent account, as the bank keeps them.
type pool struct {
	free []string          // in the order in which they are handed out; one that is closed comes last
	open map[string]string // whom a number was opened for (InstSeq), by number
	keys map[string]string // the number that a key has
}

func (s *Sim) pool(parent string) *pool {
	if parent == "" {
		parent = s.bank.Parent()
	}
	p := s.pools[parent]
	if p == nil {
		p = &pool{open: map[string]string{}, keys: map[string]string{}}
		s.pools[parent] = p
	}
	return p
}

// Stock gives the bank numbers to hand out; parent "" is its only account.
func (s *Sim) Stock(parent string, numbers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pool(parent)
	p.free = append(p.free, numbers...)
}

// Lend opens a number for a key as if it had been asked for, whether it is free or not: the service knows nothing of it.
func (s *Sim) Lend(parent, number, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pool(parent)
	p.free = slices.DeleteFunc(p.free, func(n string) bool { return n == number })
	p.lend(number, key)
}

// Numbers gives the bank's free numbers in the order in which it would hand them out, and the open ones sorted.
func (s *Sim) Numbers(parent string) (free, open []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pool(parent)
	return slices.Clone(p.free), slices.Sorted(maps.Keys(p.open))
}

// give opens the next free number for a key.
func (p *pool) give(key string) (number string, ok bool) {
	if len(p.free) == 0 {
		return "", false
	}
	number, p.free = p.free[0], p.free[1:]
	p.lend(number, key)
	return number, true
}

func (p *pool) lend(number, key string) {
	p.open[number], p.keys[key] = key, number
}

// take closes a number, which may be handed out again, and its key may ask again.
func (p *pool) take(number string) {
	delete(p.keys, p.open[number])
	delete(p.open, number)
	p.free = append(p.free, number)
}

// holder finds the parent account on which a number is open.
func (s *Sim) holder(number string) (parent string, ok bool) {
	for _, parent := range s.bank.ParentAccounts {
		if _, ok := s.pool(parent).open[number]; ok {
			return parent, true
		}
	}
	return "", false
}

// standing is what stands on a number.
func (s *Sim) standing(parent, number string) (fen deposit.Fen) {
	b := s.book(parent)
	for i := range b.entries {
		if b.entries[i].SubAccount == number {
			fen += moved(&b.entries[i])
		}
	}
	return fen
}

// creditsOf are the credits of a number, in booking order, reversed or not.
func (s *Sim) creditsOf(parent, number string) (credits []bank.Entry) {
	for _, e := range s.book(parent).entries {
		if e.SubAccount == number && e.Direction == bank.Credit && e.Reversal == "" {
			credits = append(credits, e)
		}
	}
	return credits
}
