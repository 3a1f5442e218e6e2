package kernels

// Levels are those that this machine has.
func Levels() []string { return levelNames[:available()+1] }

// Use switches to the named level until the returned function is called. Tests that call it do not run in parallel.
func Use(name string) (restore func()) {
	before := active
	l, err := choose(name, available())
	if err != nil {
		panic(err)
	}
	active = l
	return func() { active = before }
}

var (
	FMA         = fma32
	ChooseLevel = func(name string, widest int) (string, error) {
		l, err := choose(name, level(widest))
		return l.String(), err
	}
)

// Probabilities writes softmax(z) in float64.
func Probabilities(dst []float64, z []float32, logPartition float64) {
	expMoments(dst[:len(z)], z, logPartition)
}
