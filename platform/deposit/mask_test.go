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

func TestMaskName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "王建国": "王*", "欧阳建国": "欧*", "李四": "李*", "张　三": "张*", " 张三": "张*", "买买提·阿不都拉": "买*",
		"聊城市东昌建设工程有限公司": "聊城市东昌建设工程有限公司", "东昌公司": "东昌公司", "ABC Ltd": "ABC Ltd", "张*": "张*",
	} {
		if got := MaskName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if IsMasked(want) != (want != "" && want != name || name == "张*") {
			t.Errorf("%s is taken for masked, or is not", want)
		}
	}
}

// However a person's name is printed, logged or answered, it is masked.
func TestPersonNeverPrints(t *testing.T) {
	held := struct{ A Name }{"王建国"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, held.A), fmt.Sprintf(verb, held), fmt.Sprintf(verb, []Name{"王建国"}), fmt.Sprint(map[string]Name{"x": "王建国"})} {
			if strings.Contains(printed, "建国") || strings.Contains(printed, fmt.Sprintf("%x", "建国")) {
				t.Errorf("%s prints %s", verb, printed)
			}
		}
	}
	text, err := json.Marshal(held)
	if err != nil || string(text) != `{"A":"王*"}` {
		t.Errorf("%s, %v", text, err)
	}
	if held.A.Full() != "王建国" || held.A.Key() != NameKey("王建国") {
		t.Error("the whole name is lost")
	}
}

func TestMaskWithin(t *testing.T) {
	text := "王建国|6212000000000000999|王建|聊城市建设工程有限公司|60"
	text = MaskNames(Masks([]string{"6212000000000000999", ""}, MaskAccount).Replace(text), []string{"王建", "王建国", "聊城市建设工程有限公司", "王建"})
	if text != "王*|621200****0999|王*|聊城市建设工程有限公司|60" {
		t.Error(text)
	}
}
