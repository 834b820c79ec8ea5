package promquery

// Impatient is a reader that does not wait between tries.
func Impatient(r *Reader) *Reader { return impatient(r) }
