package patch

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rightsize/rightsize/workload"
)

// WriteEach writes the patches of a job without an overlay, one YAML document a workload, in the type that each takes:
// those of kinds that a strategic merge patch would damage are JSON patches.
func (j Job) WriteEach(w io.Writer) error {
	for i, o := range j.direct(true) {
		text, err := o.render(o.target.as(j.Type), j.Basis, false)
		if err != nil {
			return err
		}
		text = bytes.TrimPrefix(text, []byte(marker))
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("writing patches: %w", err)
		}
	}
	return nil
}

// FileName is what a component calls the workload's patch: deployment-api.yaml. It is of letters, digits, dots and dashes.
func FileName(ref workload.Ref) string {
	return safeName(strings.ToLower(ref.Kind)+"-"+ref.Name) + ".yaml"
}
