package plots

import (
	"image/color"
	"math"
)

// The few colours that are not a quantity.
var (
	inkDark   = color.RGBA{0x1b, 0x1f, 0x24, 0xff} // titles and labels
	inkSoft   = color.RGBA{0x57, 0x60, 0x6a, 0xff} // captions, positions
	ruleColor = color.RGBA{0xd8, 0xde, 0xe4, 0xff} // thin lines
	trackFill = color.RGBA{0xee, 0xf1, 0xf4, 0xff} // the empty part of a bar
	barFill   = color.RGBA{0x5b, 0x8d, 0xb8, 0xff} // a bar of no special token
	// accent marks the one thing to look at: rank 1, or the final answer.
	// Orange against a map of yellow, teal and blue stays apart for readers
	// with deuteranopia and protanopia.
	accent    = color.RGBA{0xf2, 0x8e, 0x2b, 0xff}
	accentInk = color.RGBA{0xa8, 0x47, 0x00, 0xff} // accent as text on white
)

// sequential is the one map for quantities: t in 0..1 from pale yellow over
// teal to dark blue. It is built in OKLCH with lightness falling linearly, so
// equal steps look equal and the order survives in grey and for colour-blind
// readers. t outside 0..1 is clamped.
func sequential(t float64) color.RGBA {
	t = min(max(t, 0), 1)
	lightness := 0.975 - 0.645*t
	// The hue passes green quickly: it is the part of the circle that
	// deuteranopes see as grey.
	hue := 105 + 163*math.Pow(t, 0.72)
	chroma := 0.035 + 0.085*math.Sin(math.Pi*min(t, 0.62)/1.24)
	return fromOKLCH(lightness, chroma, hue)
}

// fromOKLCH converts lightness 0..1, chroma and hue in degrees to sRGB after
// Björn Ottosson's OKLab, clipping to the gamut.
func fromOKLCH(l, c, h float64) color.RGBA {
	sin, cos := math.Sincos(h * math.Pi / 180)
	a, b := c*cos, c*sin
	long := cube(l + 0.3963377774*a + 0.2158037573*b)
	medium := cube(l - 0.1055613458*a - 0.0638541728*b)
	short := cube(l - 0.0894841775*a - 1.2914855480*b)
	return color.RGBA{
		R: gamma(4.0767416621*long - 3.3077115913*medium + 0.2309699292*short),
		G: gamma(-1.2684380046*long + 2.6097574011*medium - 0.3413193965*short),
		B: gamma(-0.0041960863*long - 0.7034186147*medium + 1.7076147010*short),
		A: 0xff,
	}
}

func cube(x float64) float64 { return x * x * x }

// gamma encodes a linear channel 0..1 as an sRGB byte.
func gamma(x float64) uint8 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 255
	case x <= 0.0031308:
		x *= 12.92
	default:
		x = 1.055*math.Pow(x, 1/2.4) - 0.055
	}
	return uint8(math.Round(255 * x))
}

// luminance is the relative luminance of WCAG 2, 0..1.
func luminance(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// contrast is the contrast ratio of WCAG 2, 1..21.
func contrast(a, b color.RGBA) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// inkOn returns black or white, whichever reads better on bg; the better of
// the two always reaches a contrast of 4.5.
func inkOn(bg color.RGBA) color.RGBA {
	black, white := color.RGBA{A: 0xff}, color.RGBA{0xff, 0xff, 0xff, 0xff}
	if contrast(bg, black) >= contrast(bg, white) {
		return black
	}
	return white
}
