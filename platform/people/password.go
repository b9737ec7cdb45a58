package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"depositd/platform/deposit"
)

// Policy is what is demanded of passwords.
type Policy string

// The policies. 等保 demands complexity and change (GB/T 22239-2019 三级 8.1.4.1 a); OWASP ASVS 5 (6.2.5, 6.2.10) forbids both,
// and asks for length and that it is not a common one. Either way the other's length and list hold too.
const (
	Graded Policy = ""     // 等保三级
	ASVS   Policy = "asvs" // OWASP ASVS 5
)

const (
	leastPassword = 12  // characters
	mostPassword  = 128 // bytes are hashed, so that a longer one would only cost time
	leastKinds    = 3   // of small letters, capitals, digits and others
	passwordLasts = 90 * 24 * time.Hour
)

// expired says that a password has to be changed before anything else is done.
func (p Policy) expired(since, now time.Time) bool {
	return p == Graded && now.Sub(since) >= passwordLasts
}

// Check refuses a password that the policy does not allow for this person.
func (p Policy) Check(password, name, staff string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return weak("密码含有无法识别的字符或控制字符")
	case n < leastPassword:
		return weak("密码至少 ", leastPassword, " 个字符")
	case len(password) > mostPassword:
		return weak("密码过长，最多 ", mostPassword, " 字节")
	case p == Graded && kinds(password) < leastKinds:
		return weak("密码应含大写字母、小写字母、数字、其他符号中的至少三类")
	case holds(password, name) || holds(password, staff):
		return weak("密码不能含有姓名或工号")
	case common(password):
		return weak("密码过于常见，请换一个不易猜到的")
	}
	return nil
}

func weak(text ...any) error { return deposit.Refuse(deposit.Invalid, "password_weak", text...) }

func holds(password, word string) bool {
	return utf8.RuneCountInString(word) > 1 && strings.Contains(strings.ToLower(password), strings.ToLower(word))
}

func kinds(password string) int {
	var lower, upper, digit, other int
	for _, r := range password {
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	return lower + upper + digit + other
}

// argon2id with the least that OWASP's cheat sheet asks for: 19 MiB, two passes, one lane; some 30 ms.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonBytes  = 32
	saltBytes   = 16
)

func cores() int { return runtime.GOMAXPROCS(0) }

// argon hashes within the places there are: each takes 19 MiB and a core, and a flood of logins must not take all of both.
func (d *Desk) argon(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case d.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.hashing }()
	return argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonBytes), nil
}

// hash is what is kept of a password, in the PHC string format.
func (d *Desk) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, by its contract
	sum, err := d.argon(ctx, password, salt)
	if err != nil {
		return "", err
	}
	text := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes, text.EncodeToString(salt), text.EncodeToString(sum)), nil
}

// verify says whether it is the password that was kept. Where none was kept – no such person, none set yet – it takes the same
// time and says no.
func (d *Desk) verify(ctx context.Context, kept, password string) (bool, error) {
	salt, want, ok := parseHash(kept)
	sum, err := d.argon(ctx, password, salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, want) == 1 && ok, nil
}

// parseHash reads what hash writes; what is none is a salt and a sum that fit nothing.
func parseHash(kept string) (salt, sum []byte, ok bool) {
	nothing := func() ([]byte, []byte, bool) { return make([]byte, saltBytes), make([]byte, argonBytes), false }
	parts := strings.Split(kept, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", argonMemory, argonPasses, argonLanes) {
		return nothing()
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return nothing()
	}
	sum, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(sum) != argonBytes {
		return nothing()
	}
	return salt, sum, true
}
