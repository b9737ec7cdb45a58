// Package people is who may come in: persons with accounts, passwords, second factors and sessions, and machines with
// tokens. It says who somebody is and which roles they have; what a role may do stands in the table of routes, and whose
// lots they see in deposit.Sight.
//
// It stands on the platform's floor because accounts belong to the centre and not to a bank, and since whoever signs on a
// higher floor is named by it; it knows lots and money as little as the storage does, and imports the vocabulary alone.
//
// Accounts are made by one administrator and get their roles from another (GB/T 22239-2019 三级 8.1.4.2, 8.1.5): nobody
// comes to a role alone, not by a reset either.
package people

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Rules are what a centre may choose about its doors. The zero value is the strict profile of GB/T 22239 (等保三级).
type Rules struct {
	Policy Policy

	// PasswordAlone lets every role in with a password alone. It is for the demonstration, whose clock is no authenticator's.
	PasswordAlone bool
}

// Desk is the use cases of accounts, sessions and tokens.
type Desk struct {
	db      *sqldb.DB
	rules   Rules
	sealer  *sealer
	hashing chan struct{} // one place for each password that may be hashed at a time
}

// NewDesk makes a desk. key seals the second factors' secrets and has 32 bytes.
func NewDesk(db *sqldb.DB, key []byte, rules Rules) (*Desk, error) {
	s, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return &Desk{db: db, rules: rules, sealer: s, hashing: make(chan struct{}, cores())}, nil
}

// How long things last.
const (
	idleLasts       = 30 * time.Minute
	sessionLasts    = 10 * time.Hour
	freshLasts      = 5 * time.Minute // how long after the step-up a signature may be given
	invitationLasts = 24 * time.Hour
	firstLasts      = time.Hour           // the invitations of the first administrators
	sessionsKept    = 30 * 24 * time.Hour // of those that have ended; the audit trail keeps who came in
	mostSessions    = 3
	seenEvery       = time.Minute // how exactly a session's last use is kept: not a write for each request
)

// Stranger is the one answer to whoever cannot be told more: no session, no token, a wrong password, no such name.
func Stranger() error {
	return deposit.Refuse(deposit.Denied, "unauthenticated", "未登录或登录已失效，请重新登录；程序请带上有效的令牌")
}

// refusedLogin is the one answer to a login that fails, whatever of it was wrong.
func refusedLogin() error {
	return deposit.Refuse(deposit.Denied, "login_refused", "用户名、密码或动态口令不正确")
}

// secret makes 256 random bits, as text, and the hash by which alone they are kept.
func secret() (text, hash string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	text = base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashOf(text)
}

// hashOf is how a secret of full strength is kept; a password is kept by hasher instead.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// known turns "no such row" into a refusal of its own.
func known(err error, code, text string) error {
	if errors.Is(err, sqldb.ErrNone) {
		return deposit.Refuse(deposit.NotFound, code, text)
	}
	return err
}
