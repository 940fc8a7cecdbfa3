package meta

import (
	"fmt"
	"slices"
	"testing"
)

func TestPropValues(t *testing.T) {
	db := newDB(t)
	for i := range 30 {
		ino := mkfile(t, db, RootIno, fmt.Sprint("f", i))
		props := []Property{{"", "kind", fmt.Sprintf("%q", string(rune('a'+i%3)))}, {"", "other", `"x"`}, {"DAV:", "kind", "<x/>"}}
		if err := db.PatchProps(t.Context(), ino.Ino, props, nil, "", Relaxed); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]string{"kind": {`"a"`, `"b"`, `"c"`}, "other": {`"x"`}, "none": nil} {
		got, err := db.PropValues(t.Context(), name, 10)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %q, %v", name, got, err)
		}
	}
	if got, err := db.PropValues(t.Context(), "kind", 2); err != nil || len(got) != 2 {
		t.Errorf("limited: %q, %v", got, err)
	}
}
