package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"1KiB": 1 << 10, "512MiB": 512 << 20, "20M": 20 << 20, "4GiB": 4 << 30, "1024": 1024, "4294967296": 4 << 30,
		"": 0, "0": 0, "1023": 0, "-1MiB": 0, "5GiB": 0, "4294967297": 0, "9223372036854775807GiB": 0, "12TB": 0, "1.5MiB": 0} {
		if got, err := parseSize(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestProxies(t *testing.T) {
	got, err := parseProxies([]string{"10.1.2.3", "10.2.0.0/16", "10.3.0.9/24", "::1"})
	if want := "10.1.2.3/32 10.2.0.0/16 10.3.0.0/24 ::1/128"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %v, %v; want %s", got, err, want)
	}
	for _, wrong := range []string{"0.0.0.0/0", "::/0", "10.1", "proxy"} {
		if _, err := parseProxies([]string{wrong}); err == nil {
			t.Errorf("%s is believed", wrong)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, loopback := range map[string]bool{"127.0.0.1:9090": true, "[::1]:0": true, "localhost:1": true, "127.8.8.8:1": true,
		"0.0.0.0:9090": false, ":9090": false, "192.168.1.2:1": false, "localhost.example:1": false} {
		if checkAddress(address) != nil {
			t.Errorf("%s is no address", address)
		}
		if isLoopback(address) != loopback {
			t.Errorf("isLoopback(%s) = %v", address, !loopback)
		}
	}
	for _, wrong := range []string{"", "8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "1.2.3.4:-1"} {
		if checkAddress(wrong) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestEmptyVariable: where a setting's help says that empty switches off, an empty variable does; elsewhere it is none.
func TestEmptyVariable(t *testing.T) {
	helped, env := map[string]bool{}, map[string]string{}
	var help strings.Builder
	run(t.Context(), []string{"serve", "--help"}, noEnvironment, &help, &help)
	for _, s := range (&call{settings: &Settings{}}).effective() {
		env[envName(s.Name)] = ""
		_, after, _ := strings.Cut(strings.Join(strings.Fields(help.String()), ""), "--"+s.Name+"=")
		said, _, _ := strings.Cut(after, "["+envName(s.Name)+"]")
		helped[s.Name] = strings.Contains(said, "空则关闭")
	}
	settings := map[string]setting{}
	for _, environment := range []environment{noEnvironment, environmentOf(env)} {
		var out strings.Builder
		run(t.Context(), []string{"config", "--json"}, environment, &out, &out)
		var printed struct{ Settings []setting }
		if err := json.Unmarshal([]byte(out.String()), &printed); err != nil {
			t.Fatal(err, out.String())
		}
		for _, s := range printed.Settings {
			before, later := settings[s.Name]
			settings[s.Name] = s
			if later && helped[s.Name] != (s.Value != before.Value) || helped[s.Name] && later && s != (setting{s.Name, "", fromEnvironment}) {
				t.Errorf("%s: %+v, without the variable %+v", s.Name, s, before)
			}
		}
	}
	if !helped["metrics-listen"] {
		t.Errorf("the help does not say how the metrics are switched off:\n%s", help.String())
	}
}

// TestEverySettingHasItsVariable: what config prints is what the environment reaches, by the names of the help.
func TestEverySettingHasItsVariable(t *testing.T) {
	for _, s := range (&call{settings: &Settings{}}).effective() {
		env := map[string]string{envName(s.Name): "7"}
		var out strings.Builder
		run(t.Context(), []string{"config", "--json"}, environmentOf(env), &out, &strings.Builder{})
		problem := strings.Contains(out.String(), envName(s.Name)) // of the booleans, 7 is no value
		if !problem && !strings.Contains(out.String(), `"origin": "environment"`) {
			t.Errorf("%s does not reach the setting %s", envName(s.Name), s.Name)
		}
	}
}
