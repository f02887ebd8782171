// A sound test that needs no file.

const PITCHES = [440, 554.4, 659.3]; // hertz

export function playTones() {
  const sound = new AudioContext();
  PITCHES.forEach((frequency, index) => {
    const from = sound.currentTime + 0.05 + 0.35 * index;
    const tone = new OscillatorNode(sound, { frequency }), loudness = new GainNode(sound, { gain: 0 });
    loudness.gain.setValueAtTime(0, from);
    loudness.gain.linearRampToValueAtTime(0.25, from + 0.03);
    loudness.gain.linearRampToValueAtTime(0, from + 0.3);
    tone.connect(loudness).connect(sound.destination);
    tone.start(from);
    tone.stop(from + 0.32);
  });
}
