package promquery

import "slices"

// timeline is a value over the points of a grid, kept by its changes: what kube-state-metrics says of a
// container seldom changes. The zero timeline is absent everywhere.
type timeline struct {
	changes []change // ascending by point
	last    int      // the last point that was added
}

// change is the value from a point on.
type change struct {
	point  int
	value  float64
	absent bool
}

// add notes the value at a point after all earlier ones. Points that are skipped are absent.
func (t *timeline) add(point int, value float64) {
	if n := len(t.changes); n > 0 && point > t.last+1 {
		t.changes = append(t.changes, change{point: t.last + 1, absent: true})
	}
	t.last = point
	if n := len(t.changes); n == 0 || t.changes[n-1].absent || t.changes[n-1].value != value {
		t.changes = append(t.changes, change{point: point, value: value})
	}
}

// at is the value at a point, and whether there is one.
func (t *timeline) at(point int) (value float64, ok bool) {
	i, found := slices.BinarySearchFunc(t.changes, point, func(c change, p int) int { return c.point - p })
	if !found {
		i--
	}
	if i < 0 || point > t.last || t.changes[i].absent {
		return 0, false
	}
	return t.changes[i].value, true
}
