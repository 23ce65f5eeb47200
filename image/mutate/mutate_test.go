// SPDX-License-Identifier: MIT

package mutate_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"crctl/image"
	"crctl/image/imagetest"
	"crctl/image/mutate"
)

func TestMutate(t *testing.T) {
	good, err := imagetest.Build([]imagetest.Process{{PID: 7, PGID: 7, SID: 7, Comm: "a"}}, imagetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mutate.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Bytes(), good) {
		t.Error("an image that is taken apart and put together is another one")
	}
	r := rand.New(rand.NewPCG(1, 2))
	flawed := 0
	for range 2000 {
		bad, what := m.Random(r)
		if what == "" {
			t.Error("nothing was done")
		}
		if _, errs := image.Verify(bytes.NewReader(bad), nil); len(errs) > 0 {
			flawed++
		}
	}
	if flawed < 500 {
		t.Errorf("only %d of 2000 images are seen to be flawed", flawed)
	}
	for i := range m.Words() {
		if out, what := m.SetWord(i, 1<<31); out == nil || bytes.Equal(out, good) {
			t.Error(what)
		}
	}
	if n := len(m.Boundaries()); n < 10 {
		t.Errorf("%d boundaries", n)
	}
	cut := m.Edit(func(t image.Type, body []byte) []byte {
		if t == image.TypeThread {
			body[mutate.Offset(t, "cred")]++
		}
		return body
	})
	if _, errs := image.Verify(bytes.NewReader(cut), nil); len(errs) != 1 {
		t.Errorf("a wrong reference gives %v", errs)
	}
}
