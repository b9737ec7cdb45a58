package people

import (
	"context"
	"crypto/rand"
	"errors"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Proof is what somebody shows at the door.
type Proof struct {
	Name     string
	Password string
	Code     string // of the second factor; "" where none was set up
	Network  string // see NetworkOf
}

// strange makes a missing row the answer for strangers.
func strange(err error) error {
	if errors.Is(err, sqldb.ErrNone) {
		return Stranger()
	}
	return err
}

// Login starts a session. What was wrong, and whether there is such a person, is not told and costs the same time; *Shut where the
// door was tried too often. was is a session that the browser still had: it ends.
func (d *Desk) Login(ctx context.Context, p Proof, was string) (cookie string, s *Session, err error) {
	u, err := userWhere(ctx, d.db, "WHERE name = ?", p.Name)
	if err != nil && !errors.Is(err, sqldb.ErrNone) {
		return "", nil, err
	}
	door, err := d.knock(ctx, p.Name, p.Network, u.ID)
	if err != nil {
		return "", nil, err
	}
	right, err := d.verify(ctx, u.password, p.Password)
	if err != nil {
		return "", nil, err
	}
	if !right || u.State != Active {
		return "", nil, refusedLogin()
	}
	return d.enter(ctx, u, p, door, was)
}

// enter takes the code and starts the session, in one transaction: a code opens once.
func (d *Desk) enter(ctx context.Context, u User, p Proof, door, was string) (cookie string, s *Session, err error) {
	err = d.again(func() error {
		return d.db.Write(ctx, u.Name, func(tx *sqldb.Tx) error {
			still, err := tx.Exec(ctx, "UPDATE users SET factor_step = factor_step WHERE id = ? AND state = ? AND password = ? AND factor = ?", u.ID, u.State, u.password, u.factor)
			if err == nil && still != 1 { // disabled, reset or changed while this password was looked at
				err = refusedLogin()
			}
			if err != nil {
				return err
			}
			if err := d.useCode(ctx, tx, &u, p.Code); err != nil {
				return err
			}
			if err := forgive(ctx, tx, door, p.Network, u.ID); err != nil {
				return err
			}
			if was != "" {
				if _, err := tx.Exec(ctx, "UPDATE sessions SET ended_at = ? WHERE hash = ? AND ended_at > ?", sqldb.At(tx.Now), hashOf(was), sqldb.At(tx.Now)); err != nil {
					return err
				}
			}
			var row sessionRow
			if cookie, row, err = begin(ctx, tx, &u, p.Network); err != nil {
				return err
			}
			s = d.sessionOf(&row, u, tx.Now)
			return nil
		})
	})
	return cookie, s, err
}

// useCode takes a code of the second factor, where there is one.
func (d *Desk) useCode(ctx context.Context, tx *sqldb.Tx, u *User, code string) error {
	if !u.HasFactor() {
		return nil
	}
	key, err := d.sealer.open(u.ID, u.factor)
	if err != nil {
		return err
	}
	step := stepOf(key, code, tx.Now, u.factorStep)
	if step == 0 {
		return refusedLogin()
	}
	n, err := tx.Exec(ctx, "UPDATE users SET factor_step = ? WHERE id = ? AND factor_step < ?", step, u.ID, step)
	if err == nil && n != 1 { // somebody used it in the meantime
		err = refusedLogin()
	}
	return err
}

// Accept takes up an invitation: its person sets the password and is in.
func (d *Desk) Accept(ctx context.Context, invitation, password, network string) (cookie string, s *Session, err error) {
	u, err := userWhere(ctx, d.db, "WHERE invitation = ?", hashOf(invitation))
	if errors.Is(err, sqldb.ErrNone) || err == nil && (u.State != Active || !d.db.Now().Before(u.invitedUntil)) {
		return "", nil, deposit.Refuse(deposit.Denied, "invitation_refused", "一次性口令无效、已使用或已过期，请联系系统管理员重新生成")
	}
	if err != nil {
		return "", nil, err
	}
	if err := d.rules.Policy.Check(password, u.Name, u.Staff); err != nil {
		return "", nil, err
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return "", nil, err
	}
	err = d.db.Write(ctx, u.Name, func(tx *sqldb.Tx) error {
		if err := one(tx.Exec(ctx, "UPDATE users SET password = ?, password_at = ?, invitation = '', version = version + 1 WHERE id = ? AND version = ? AND invitation = ?",
			hash, sqldb.At(tx.Now), u.ID, u.Version, u.invitation)); err != nil {
			return err
		}
		u.password, u.passwordAt = hash, tx.Now
		return tx.Note(ctx, "users", u.ID, "PASSWORD_SET", "")
	})
	if err != nil {
		return "", nil, err
	}
	return d.enter(ctx, u, Proof{Network: network}, "", "")
}

// ChangePassword sets another password, ends the person's other sessions, and goes on in a new one.
func (d *Desk) ChangePassword(ctx context.Context, s *Session, old, password, network string) (cookie string, _ *Session, err error) {
	door, err := d.knock(ctx, s.User.Name, network, s.User.ID)
	if err != nil {
		return "", nil, err
	}
	right, err := d.verify(ctx, s.User.password, old)
	if err != nil {
		return "", nil, err
	}
	if !right {
		return "", nil, refusedLogin()
	}
	if old == password {
		return "", nil, weak("新密码不能与原密码相同")
	}
	if err := d.rules.Policy.Check(password, s.User.Name, s.User.Staff); err != nil {
		return "", nil, err
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return "", nil, err
	}
	return d.anew(ctx, s, door, network, func(tx *sqldb.Tx, u *User) error {
		u.passwordAt = tx.Now
		if err := one(tx.Exec(ctx, "UPDATE users SET password = ?, password_at = ? WHERE id = ? AND password = ?", hash, sqldb.At(tx.Now), u.ID, u.password)); err != nil {
			return err
		}
		return errors.Join(endSessions(ctx, tx, u.ID), tx.Note(ctx, "users", u.ID, "PASSWORD_SET", ""))
	})
}

// StepUp proves a person anew, by a code of the second factor or, without one, by the password. The cookie changes.
func (d *Desk) StepUp(ctx context.Context, s *Session, p Proof) (cookie string, _ *Session, err error) {
	door, err := d.knock(ctx, s.User.Name, p.Network, s.User.ID)
	if err != nil {
		return "", nil, err
	}
	if !s.User.HasFactor() {
		right, err := d.verify(ctx, s.User.password, p.Password)
		if err != nil {
			return "", nil, err
		}
		if !right {
			return "", nil, refusedLogin()
		}
	}
	return d.anew(ctx, s, door, p.Network, func(tx *sqldb.Tx, u *User) error {
		if err := d.useCode(ctx, tx, u, p.Code); err != nil {
			return err
		}
		return tx.Note(ctx, "users", u.ID, "PROVED", "")
	})
}

// anew ends a session and goes on in a new one that is as old, once f has done what it is for.
func (d *Desk) anew(ctx context.Context, s *Session, door, network string, f func(*sqldb.Tx, *User) error) (cookie string, after *Session, err error) {
	err = d.db.Write(ctx, s.User.Name, func(tx *sqldb.Tx) error {
		u, err := userWhere(ctx, tx, "WHERE id = ?", s.User.ID)
		if err != nil {
			return strange(err)
		}
		ended, err := end(ctx, tx, s.ID)
		if err != nil {
			return err
		}
		if !ended || u.State != Active { // a logout, another step or an administrator was faster
			return Stranger()
		}
		if err := f(tx, &u); err != nil {
			return err
		}
		if err := forgive(ctx, tx, door, network, u.ID); err != nil {
			return err
		}
		text, hash := secret()
		row := sessionRow{ID: tx.NewID(), UserID: u.ID, Hash: hash, Network: network, Started: s.StartedAt, Seen: tx.Now, Proved: tx.Now, Ended: sqldb.Forever}
		if err := sessions.Insert(ctx, tx, row); err != nil {
			return err
		}
		cookie, after = text, d.sessionOf(&row, u, tx.Now)
		return nil
	})
	return cookie, after, err
}

// Enrol makes a second factor for a person who has none; it counts once Confirm was shown a code of it.
func (d *Desk) Enrol(ctx context.Context, s *Session) (f Factor, err error) {
	key := make([]byte, factorBytes)
	_, _ = rand.Read(key) // never fails, by its contract
	err = d.db.Write(ctx, s.User.Name, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE users SET factor = ? WHERE id = ? AND factor_step = 0", d.sealer.seal(s.User.ID, key), s.User.ID)
		if err == nil && n != 1 {
			err = deposit.Refuse(deposit.Conflict, "factor_exists", "动态口令已启用；更换手机请联系系统管理员重置")
		}
		return err
	})
	return factorOf(s.User.Name, key), err
}

// Confirm shows that the authenticator app has the second factor. The cookie changes.
func (d *Desk) Confirm(ctx context.Context, s *Session, code, network string) (cookie string, _ *Session, err error) {
	door, err := d.knock(ctx, s.User.Name, network, s.User.ID)
	if err != nil {
		return "", nil, err
	}
	return d.anew(ctx, s, door, network, func(tx *sqldb.Tx, u *User) error {
		if u.factor == "" || u.HasFactor() {
			return deposit.Refuse(deposit.Conflict, "factor_missing", "请先获取动态口令密钥")
		}
		key, err := d.sealer.open(u.ID, u.factor)
		if err != nil {
			return err
		}
		if u.factorStep = stepOf(key, code, tx.Now, 0); u.factorStep == 0 {
			return deposit.Refuse(deposit.Invalid, "code_wrong", "动态口令不正确，请核对手机时间后再输入新的一组")
		}
		if err := one(tx.Exec(ctx, "UPDATE users SET factor_step = ? WHERE id = ? AND factor_step = 0 AND factor = ?", u.factorStep, u.ID, u.factor)); err != nil {
			return err
		}
		return tx.Note(ctx, "users", u.ID, "FACTOR_SET", "")
	})
}
