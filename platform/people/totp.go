package people

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as every authenticator app implements it; HMAC-SHA-1 is not broken by collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

// The second factor is RFC 6238: six digits that change every half minute. A code of the neighbouring half minutes is taken
// too, since clocks differ, and each code once only.
const (
	stepLasts   = 30 // seconds
	stepsAside  = 1
	factorBytes = 20 // RFC 4226 §4, R6: the length of the hash
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// codeAt is the code of a half minute.
func codeAt(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1_000_000)
}

// stepOf is the half minute of a code that is right and later than the last one that was used; 0 where there is none.
func stepOf(key []byte, code string, now time.Time, last int64) (found int64) {
	middle := now.Unix() / stepLasts
	for step := middle - stepsAside; step <= middle+stepsAside; step++ {
		right := subtle.ConstantTimeCompare([]byte(codeAt(key, step)), []byte(code)) == 1
		if right && step > last && found == 0 {
			found = step
		}
	}
	return found
}

// Factor is a second factor to be put into an authenticator app; it is told once.
type Factor struct {
	Secret string // base 32, for typing
	URI    string // for a QR code
}

func factorOf(name string, key []byte) Factor {
	text := base32Text.EncodeToString(key)
	return Factor{Secret: text, URI: "otpauth://totp/depositd:" + url.PathEscape(name) + "?issuer=depositd&secret=" + text}
}

// Code is what an authenticator app shows for a factor at a time. Tests and the demonstration are such apps.
func (f Factor) Code(now time.Time) string {
	key, err := base32Text.DecodeString(f.Secret)
	if err != nil {
		return ""
	}
	return codeAt(key, now.Unix()/stepLasts)
}
