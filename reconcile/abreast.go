package reconcile

import (
	"errors"
	"sync"
)

// abreast is how many questions that need nothing of each other are put to the database at once: what a day is asked is read
// from end to end, and one reader leaves the other cores of the machine idle.
const abreast = 2

// together runs functions, some at once, and waits for all of them.
func together(all ...func() error) error {
	turn := make(chan struct{}, abreast)
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, f := range all {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			errs[i] = f()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
