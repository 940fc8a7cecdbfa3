package meta

// Precondition is about a name, or a node, other than the one that an operation changes, or about a name that is only being made. It is decided in the
// transaction of the operation. The zero value always holds.
type Precondition struct {
	Parent Ino
	Name   string
	Ino    Ino                   // instead of a name, when there is none: a root
	Check  func(cur *Attr) error // may refuse; nil Attr: nothing is there
}

// require evaluates a precondition.
func (t *tx) require(p Precondition) error {
	if p.Check == nil {
		return nil
	}
	if p.Ino != 0 {
		n, err := t.attr(p.Ino)
		if err != nil {
			return err
		}
		return p.Check(&n)
	}
	n, ok, err := t.child(p.Parent, p.Name)
	if err != nil {
		return err
	}
	if !ok {
		return p.Check(nil)
	}
	return p.Check(&n)
}
