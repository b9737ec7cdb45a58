package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the Makefile: what git describe says.
var version string

// versionName is the version as people speak of it; a program that was built without the Makefile tells its commit.
func versionName() string {
	if version != "" {
		return version
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return cmp.Or(build.Main.Version, "unknown")
}

type versionCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// Run prints the version.
func (v *versionCmd) Run(c *call) error {
	if v.JSON {
		return printJSON(c.stdout, map[string]string{"version": versionName(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	fmt.Fprintf(c.stdout, "depositd %s (%s, %s/%s)\n", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
