package deposit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestMaskAccount(t *testing.T) {
	for account, want := range map[string]string{
		"":                    "",
		"1":                   "****",
		"1234567":             "****",
		"12345678":            "****5678",
		"123456789012345":     "****2345",
		"6212260200012341234": "621226****1234",
		"6212260200011234":    "621226****1234",
		"3705018860000000123": "370501****0123",
		"账号账号账号账号账号账号账号账号": "账号账号账号****账号账号",
	} {
		if got := MaskAccount(account); got != want {
			t.Errorf("%s: %s, want %s", account, got, want)
		}
		if again := MaskAccount(want); account != "" && len(again) > len(want) {
			t.Errorf("masked twice it grows: %s", again)
		}
	}
}

// However an account is printed, logged or answered, it is masked.
func TestAccountNeverPrints(t *testing.T) {
	const whole = "6212260200012341234"
	held := struct {
		A Account  `json:"a"`
		B *Account `json:"b"`
	}{A: whole}
	held.B = &held.A
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, held.A), fmt.Sprintf(verb, held), fmt.Sprintf(verb, []Account{whole}), fmt.Sprint(map[string]Account{"x": whole})} {
			if strings.Contains(printed, "0200012341") || strings.Contains(printed, fmt.Sprintf("%x", whole)) {
				t.Errorf("%s prints %s", verb, printed)
			}
		}
	}
	text, err := json.Marshal(held)
	if err != nil || string(text) != `{"a":"621226****1234","b":"621226****1234"}` {
		t.Errorf("%s, %v", text, err)
	}
	if held.A.Full() != whole {
		t.Error("the whole number is lost")
	}
}
