package people_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// A stranger learns the same of every wrong login.
func TestLoginTellsNothing(t *testing.T) {
	h := local(t, people.Rules{})
	h.granted("张三", people.Department)
	h.asked("李四", people.Department) // has not taken up the invitation
	_, s := h.in("张三")
	f, _, _ := h.enrolled(s)
	h.pass(time.Minute)
	var said []string
	for _, p := range []people.Proof{{Name: "张三", Password: another, Code: f.Code(h.now)}, {Name: "张三", Password: password}, {Name: "张三", Password: password, Code: "000000"},
		{Name: "李四", Password: ""}, {Name: "李四", Password: password}, {Name: "王五", Password: password}} {
		p.Network = office
		_, _, err := h.desk.Login(ctx, p, "")
		h.refused(err, "login_refused")
		said = append(said, fmt.Sprint(err))
	}
	for _, text := range said {
		if text != said[0] {
			t.Errorf("%q differs from %q", text, said[0])
		}
	}
}

// Five tries in a quarter of an hour, then a pause that doubles up to an hour – for who exists and for who does not alike.
func TestLockout(t *testing.T) {
	each(t, func(h *house) {
		h.granted("张三", people.Department)
		for _, name := range []string{"张三", "王五"} {
			for range 5 {
				_, _, err := h.login(name, another, "", office)
				h.refused(err, "login_refused")
			}
			for _, pause := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, time.Hour} {
				_, _, err := h.login(name, password, "", office)
				var shut *people.Shut
				if !errors.As(err, &shut) || shut.For != pause {
					t.Fatalf("%s: shut for %v, want %v", name, err, pause)
				}
				h.pass(pause)
				_, _, err = h.login(name, another, "", office)
				h.refused(err, "login_refused")
			}
			h.pass(time.Hour)
		}
		h.in("张三") // never for good
		h.in("张三")
	})
}

// Who guesses from elsewhere, and from however many networks, has five tries together, and keeps nobody out of their own network.
func TestLockoutIsNotForOthers(t *testing.T) {
	h := local(t, people.Rules{})
	names := []string{"张三", "李四"}
	for _, name := range names {
		h.granted(name, people.Department)
	}
	let := 0
	for i := range 1000 {
		_, _, err := h.login(names[i%2], another, "", people.NetworkOf(fmt.Sprintf("203.0.%d.7", i%100)))
		var shut *people.Shut
		if !errors.As(err, &shut) {
			h.refused(err, "login_refused")
			let++
		}
		h.pass(100 * time.Millisecond)
	}
	if let != 10 {
		t.Errorf("%d guesses were let through, want five a person", let)
	}
	for _, name := range names {
		if _, _, err := h.login(name, password, "", office); err != nil {
			t.Errorf("%s is kept out of the office: %v", name, err)
		}
		_, _, err := h.login(name, password, "", abroad)
		h.refused(err, "shut")
	}
}

// All doors together let some tries a minute through from elsewhere, whatever names are made up; the office is not held up.
func TestBrake(t *testing.T) {
	h := local(t, people.Rules{})
	h.granted("张三", people.Department)
	h.pass(2 * time.Minute)
	const brake = 60
	h.must(h.db.Write(ctx, "test", func(tx *sqldb.Tx) error { // as many as there may be but one, without hashing for each
		if _, err := tx.Exec(ctx, "DELETE FROM tries"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO tries (door, tried, tried_at, until) VALUES ('all', ?, ?, ?)", brake-1, sqldb.At(tx.Now), sqldb.At(time.Time{}))
		return err
	}))
	_, _, err := h.login("赵六", another, "", abroad)
	h.refused(err, "login_refused")
	_, _, err = h.login("钱七", another, "", abroad)
	h.refused(err, "shut")
	h.in("张三")
	h.pass(time.Minute)
	_, _, err = h.login("钱七", another, "", abroad)
	h.refused(err, "login_refused")
}

// Tries that come at once are counted each.
func TestTriesAtOnce(t *testing.T) {
	each(t, func(h *house) {
		h.granted("张三", people.Department)
		const many = 12
		outcomes := make(chan error, many)
		for range many {
			go func() {
				_, _, err := h.login("张三", another, "", office)
				outcomes <- err
			}()
		}
		let := 0
		for range many {
			var shut *people.Shut
			if err := <-outcomes; !errors.As(err, &shut) {
				h.refused(err, "login_refused")
				let++
			}
		}
		if let != 5 {
			t.Errorf("%d tries at once were let through", let)
		}
	})
}

// A code opens once, and not later than a step aside; a role of money does nothing before it has one.
func TestSecondFactor(t *testing.T) {
	h := local(t, people.Rules{})
	h.granted("李四", people.Department)
	if _, s := h.in("李四"); len(s.Must) != 0 || s.Fresh(h.now) {
		t.Errorf("a department's clerk must %v, and signs %v without a second factor", s.Must, s.Fresh(h.now))
	}
	h.granted("张三", people.FinanceMaker)
	_, s := h.in("张三")
	if len(s.Must) != 1 || s.Must[0] != people.SetFactor {
		t.Errorf("a maker without a second factor must %v", s.Must)
	}
	f, err := h.desk.Enrol(ctx, s)
	h.must(err)
	_, _, err = h.desk.Confirm(ctx, s, "000000", office)
	h.refused(err, "code_wrong")
	_, _, err = h.login("张三", password, "", office) // not confirmed: a lost QR code keeps nobody out
	h.must(err)
	_, s, err = h.desk.Confirm(ctx, s, f.Code(h.now), office)
	h.must(err)
	if len(s.Must) != 0 {
		t.Errorf("must %v", s.Must)
	}
	_, err = h.desk.Enrol(ctx, s)
	h.refused(err, "factor_exists")
	_, _, err = h.login("张三", password, f.Code(h.now), office)
	h.refused(err, "login_refused") // used by Confirm
	h.pass(time.Minute)
	for name, at := range map[string]time.Time{"two steps early": h.now.Add(time.Minute), "two steps late": h.now.Add(-time.Minute)} {
		if _, _, err := h.login("张三", password, f.Code(at), office); err == nil {
			t.Errorf("a code %s was taken", name)
		}
	}
	code := f.Code(h.now.Add(-30 * time.Second))
	_, s, err = h.login("张三", password, code, office)
	h.must(err)
	_, _, err = h.desk.StepUp(ctx, s, people.Proof{Code: code, Network: office})
	h.refused(err, "login_refused")
	_, _, err = h.desk.StepUp(ctx, s, people.Proof{Password: password, Network: office})
	h.refused(err, "login_refused") // who has a second factor steps up by it
	_, s, err = h.desk.StepUp(ctx, s, people.Proof{Code: f.Code(h.now), Network: office})
	h.must(err)
	if !s.Fresh(h.now) {
		t.Error("not fresh after a step-up")
	}
}

// Codes are those of RFC 6238, appendix B, cut to six digits.
func TestCodesOfTheStandard(t *testing.T) {
	f := people.Factor{Secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := f.Code(time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// A key that is not the one of the sealing says so, and opens nothing.
func TestAnotherKey(t *testing.T) {
	h := local(t, people.Rules{})
	h.granted("张三", people.FinanceMaker)
	_, s := h.in("张三")
	f, _, _ := h.enrolled(s)
	h.pass(time.Minute)
	other, err := people.NewDesk(h.db, append(make([]byte, people.KeySize-1), 1), people.Rules{})
	h.must(err)
	_, _, err = other.Login(ctx, people.Proof{Name: "张三", Password: password, Code: f.Code(h.now), Network: office}, "")
	h.refused(err, "secret_key_differs")
	if _, err := people.NewDesk(h.db, []byte("short"), people.Rules{}); err == nil {
		t.Error("a short key was taken")
	}
}

// An invitation is taken up once and within its time.
func TestInvitation(t *testing.T) {
	h := local(t, people.Rules{})
	_, invitation := h.asked("张三", people.Department)
	for weak, code := range map[string]string{"short": "password_weak", "Password-123456": "password_weak"} {
		_, _, err := h.desk.Accept(ctx, invitation, weak, office)
		h.refused(err, code)
	}
	_, _, err := h.desk.Accept(ctx, "depositd", password, office)
	h.refused(err, "invitation_refused")
	_, _, err = h.desk.Accept(ctx, "", password, office)
	h.refused(err, "invitation_refused")
	_, s, err := h.desk.Accept(ctx, invitation, password, office)
	h.must(err)
	if len(s.User.Roles) != 0 {
		t.Errorf("roles before they were granted: %v", s.User.Roles)
	}
	_, _, err = h.desk.Accept(ctx, invitation, another, office)
	h.refused(err, "invitation_refused")
	_, late := h.asked("李四", people.Department)
	h.pass(24 * time.Hour)
	_, _, err = h.desk.Accept(ctx, late, password, office)
	h.refused(err, "invitation_refused")
}
