package plots

import (
	"image/color"
	"math"
	"testing"
)

// lab converts to CIE L*a*b* (D65), independently of the space that the
// palette is built in.
func lab(c [3]float64) [3]float64 { // linear RGB
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*c[0] + 0.3575761*c[1] + 0.1804375*c[2]) / 0.95047)
	y := f(0.2126729*c[0] + 0.7151522*c[1] + 0.0721750*c[2])
	z := f((0.0193339*c[0] + 0.1191920*c[1] + 0.9503041*c[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func linear(c color.RGBA) [3]float64 {
	f := func(v uint8) float64 {
		if x := float64(v) / 255; x > 0.04045 {
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return float64(v) / 255 / 12.92
	}
	return [3]float64{f(c.R), f(c.G), f(c.B)}
}

// dichromat simulates full colour blindness after Machado, Oliveira and
// Fernandes (2009), severity 1.
func dichromat(m [9]float64, c [3]float64) [3]float64 {
	var out [3]float64
	for i := range out {
		out[i] = min(max(m[3*i]*c[0]+m[3*i+1]*c[1]+m[3*i+2]*c[2], 0), 1)
	}
	return out
}

var (
	normal      = [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}
	deuteranope = [9]float64{0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881}
	protanope   = [9]float64{0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998}
	tritanope   = [9]float64{1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900}
)

func distance(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

func TestTextIsReadableOnEveryColour(t *testing.T) {
	white := color.RGBA{255, 255, 255, 255}
	for i := range 1001 {
		bg := sequential(float64(i) / 1000)
		if c := contrast(bg, inkOn(bg)); c < 4.5 {
			t.Errorf("contrast %.2f at %d/1000: want at least 4.5", c, i)
		}
	}
	for name, pair := range map[string][2]color.RGBA{
		"rank 1": {accent, inkOn(accent)}, "answer": {accentInk, white},
		"labels": {inkDark, white}, "captions": {inkSoft, white},
	} {
		if c := contrast(pair[0], pair[1]); c < 4.5 {
			t.Errorf("%s: contrast %.2f, want at least 4.5", name, c)
		}
	}
	// Two values from the WCAG definition keep the measure itself honest.
	if c := contrast(white, color.RGBA{A: 255}); math.Abs(c-21) > 1e-9 {
		t.Errorf("contrast of black and white is %v, want 21", c)
	}
	if c := contrast(white, color.RGBA{0x77, 0x77, 0x77, 255}); math.Abs(c-4.48) > 0.01 {
		t.Errorf("contrast of white and #777 is %v, want 4.48", c)
	}
}

// Lightness must fall all the way and evenly, for every kind of eye: then the
// order of two values is seen without knowing the hues.
func TestPaletteIsOrdered(t *testing.T) {
	for name, eye := range map[string][9]float64{"normal": normal, "deuteranope": deuteranope, "protanope": protanope, "tritanope": tritanope} {
		const steps = 10
		last := lab(dichromat(eye, linear(sequential(0))))
		for i := 1; i <= steps; i++ {
			next := lab(dichromat(eye, linear(sequential(float64(i)/steps))))
			if fall := last[0] - next[0]; fall < 3.5 || fall > 13 {
				t.Errorf("%s: lightness falls by %.1f in step %d, want 3.5 to 13", name, fall, i)
			}
			if d := distance(last, next); d < 6 {
				t.Errorf("%s: step %d is %.1f from the one before, want at least 6", name, i, d)
			}
			last = next
		}
	}
	for i := range 1000 {
		a, b := luminance(sequential(float64(i)/1000)), luminance(sequential(float64(i+1)/1000))
		if b > a+0.002 { // less than one step of an 8-bit channel
			t.Errorf("luminance rises from %.4f to %.4f at %d/1000", a, b, i)
		}
	}
}

func TestAccentIsNotOnTheMap(t *testing.T) {
	for name, eye := range map[string][9]float64{"normal": normal, "deuteranope": deuteranope, "protanope": protanope, "tritanope": tritanope} {
		a := lab(dichromat(eye, linear(accent)))
		for i := range 101 {
			if d := distance(a, lab(dichromat(eye, linear(sequential(float64(i)/100))))); d < 20 {
				t.Errorf("%s: accent is %.1f from the map at %d/100, want at least 20", name, d, i)
			}
		}
	}
}

func TestSequentialClamps(t *testing.T) {
	if sequential(-1) != sequential(0) || sequential(2) != sequential(1) {
		t.Error("values past the ends do not take the colours of the ends")
	}
	light, dark := sequential(0), sequential(1)
	if luminance(light) < 0.85 || luminance(dark) > 0.05 {
		t.Errorf("ends have luminance %.3f and %.3f: want near white and near black", luminance(light), luminance(dark))
	}
}
