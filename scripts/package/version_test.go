package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestVersionOfThePackageIsMadeFromWhatGitDescribes(t *testing.T) {
	at := time.Date(2026, 3, 28, 12, 34, 56, 0, time.UTC)
	f := func(in, want string) {
		t.Helper()
		if got := packageVersion(in, at); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	f("1.2.3", "1.2.3")
	f("v1.2.3", "1.2.3")
	f("v1.2.3-rc1", "1.2.3~rc1")
	f("v1.2.3-4-gabcdef0", "1.2.3+4.gabcdef0")
	f("v1.2.3-4-gabcdef0-dirty", "1.2.3+4.gabcdef0+dirty")
	f("v1.2.3-rc1-4-gabcdef0", "1.2.3~rc1+4.gabcdef0")
	f("bfba278", "0~git20260328123456.bfba278")
	f("1234567", "0~git20260328123456.1234567")
	f("12ab567-dirty", "0~git20260328123456.12ab567.dirty")
	f("devel", "0~git20260328123456.devel")
}

// TestVersionsOfPackagesAreOrderedAsTheyWereMade asks the program that decides on an upgrade.
func TestVersionsOfPackagesAreOrderedAsTheyWereMade(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("dpkg is not installed")
	}
	at := time.Date(2026, 3, 28, 12, 34, 56, 0, time.UTC)
	ordered := []string{
		packageVersion("fffffff", at), packageVersion("0000000", at.Add(time.Second)), packageVersion("v0.1.0-rc1", at),
		packageVersion("v0.1.0-rc1-2-gabcdef0", at), packageVersion("v0.1.0", at), packageVersion("v0.1.0-2-gabcdef0", at), packageVersion("v0.1.1", at),
	}
	for i := range ordered[1:] {
		if err := exec.CommandContext(t.Context(), dpkg, "--compare-versions", ordered[i], "lt", ordered[i+1]).Run(); err != nil {
			t.Errorf("%s and %s: got them in another order (%v)", ordered[i], ordered[i+1], err)
		}
	}
}
