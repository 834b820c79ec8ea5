package tsdb

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// What may not be read is not damaged: moving it away or repairing it would be the wrong thing to do.
func TestPermissionIsNoDamage(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data/01/index", Err: fs.ErrPermission}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"block":         {damaged(fmt.Errorf("opening block: %w", denied)), "opening block: open /data/01/index: permission denied: read it as a user who may, or read a copy"},
		"log":           {logError{denied, denied.Error()}, "its write-ahead log: open /data/01/index: permission denied: read it as a user who may, or read a copy"},
		"damaged block": {damaged(errors.New("bad magic")), "bad magic: the block is damaged: move it away, or read another snapshot"},
	} {
		if got := strings.ReplaceAll(c.err.Error(), fs.ErrPermission.Error(), "permission denied"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
