package main

import (
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

// TestEverySettingHasItsVariable: what config prints is what the environment reaches, by the names of the help.
func TestEverySettingHasItsVariable(t *testing.T) {
	for _, s := range (&call{settings: &Settings{}}).effective() {
		env := map[string]string{envName(s.Name): "7"}
		var out strings.Builder
		run(t.Context(), []string{"config", "--json"}, func(k string) string { return env[k] }, &out, &strings.Builder{})
		problem := strings.Contains(out.String(), envName(s.Name)) // of the booleans, 7 is no value
		if !problem && !strings.Contains(out.String(), `"origin": "environment"`) {
			t.Errorf("%s does not reach the setting %s", envName(s.Name), s.Name)
		}
	}
}
