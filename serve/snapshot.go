package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rightsize/rightsize/report"
)

// snapshot is a good report and what is made of it once, when it comes. It is not changed.
type snapshot struct {
	Found
	made    time.Time // when its scan began: what it says is at least so old
	digest  string    // of the whole report as JSON; "" where it could not be written
	json    []byte    // the whole report
	series  []prometheus.Metric
	leftOut int // series that are over the cap
}

func newSnapshot(found Found, made time.Time, maxSeries int) *snapshot {
	s := &snapshot{Found: found, made: made}
	var text bytes.Buffer
	if err := writeJSON(&text, found.Report); err == nil {
		sum := sha256.Sum256(text.Bytes())
		s.json, s.digest = text.Bytes(), hex.EncodeToString(sum[:16])
	}
	s.series, s.leftOut = seriesOf(found.Report, maxSeries)
	return s
}

// writeJSON writes what -o json prints.
func writeJSON(to *bytes.Buffer, r report.Report) error {
	format, ok := report.Lookup("json")
	if !ok {
		return fmt.Errorf("there is no format json")
	}
	return format.Write(to, r, report.Options{})
}
