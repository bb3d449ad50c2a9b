/**
 * What an `auto` run finds out and tells. Plain data; all of it is JSON.
 * @module
 */
import type { Evaluation } from "../train/evaluation.ts";
import type { Model } from "../train/model_file.ts";
import type { CandidateNetwork } from "./candidates.ts";
import type { Interval, PairedDifference } from "./interval.ts";
import type { TrialPlan } from "./trial.ts";
import type { TrivialResult } from "./trivial.ts";

/** Why something came to nothing, in a sentence. */
export interface Failed {
  readonly failed: string;
}

/** How a trial ended. */
export interface TrialResult {
  /** Epochs that were done: fewer than planned where the time was over. */
  readonly epochs: number;
  /** Training steps that were taken. */
  readonly steps: number;
  /** Wall-clock seconds of it all. */
  readonly seconds: number;
  /** Wall-clock seconds of a step, compilation not counted; 0 where it is not known. */
  readonly secondsPerStep: number;
  /** Wall-clock seconds in which it answers an image, many at a time. */
  readonly secondsPerImage: number;
  /** `1` for each held-out image whose class was said right, else `0`. */
  readonly right: string;
  /** Mean cross-entropy on the held-out images. */
  readonly loss: number;
}

/** Where a candidate stands. */
export interface Standing {
  /** What is tried. */
  readonly candidate: CandidateNetwork;
  /** Rungs of the halving that it took part in. */
  readonly rungs: number;
  /** Training steps so far, over all splits. */
  readonly steps: number;
  /** Wall-clock seconds so far. */
  readonly seconds: number;
  /** Seconds in which it answers one image on this machine; absent where that was not measured. */
  readonly latency?: number;
  /** Right answers on held-out images in its last rung, one character an image. */
  readonly right: string;
  /** The same in the rungs before it, the first one first; absent in results of older versions. */
  readonly earlier?: readonly string[];
  /** Share of right answers. */
  readonly accuracy: number;
  /** Its 95 % interval. */
  readonly interval: Interval;
  /** Mean cross-entropy. */
  readonly loss: number;
}

/** Whether the search was worth its time: two candidates after equal effort. */
export interface SearchVerdict extends PairedDifference {
  /** The best searched candidate. */
  readonly searched: string;
  /** The best one of the others. */
  readonly other: string;
  /** The last rung that both took part in; absent in results of older versions, which took the last one of each. */
  readonly rung?: number;
}

/** An image that the network is most wrong about. */
export interface WrongImage {
  /** Its index among the test images. */
  readonly index: number;
  /** Its class. */
  readonly label: number;
  /** What the network says. */
  readonly predicted: number;
  /** What it gives the right class. */
  readonly rightProbability: number;
}

/** What came out. */
export interface AutoOutcome {
  /** Candidates, the best first. */
  readonly leaderboard: readonly Standing[];
  /** What trivial answers get right of the same held-out images. */
  readonly trivial: readonly TrivialResult[];
  /** Held-out images that all were compared on. */
  readonly held: number;
  /** Splits into training and held-out images: more than one where there are few images. */
  readonly splits: number;
  /** Name of the winner. */
  readonly winner: string;
  /** Whether it was trained on with all training images, and that was kept. */
  readonly trainedOn: boolean;
  /** What the network is where its answer is the mean of several; absent otherwise. */
  readonly ensemble?: Ensemble;
  /** Whether the search paid; null without a search. */
  readonly search: SearchVerdict | null;
  /** How well the winner does on the test images (on some of very many), looked at once; null without any. */
  readonly test: (Evaluation & { readonly interval: Interval }) | null;
  /** Test images that it is most wrong about. */
  readonly wrong: readonly WrongImage[];
  /** Training steps of it all. */
  readonly steps: number;
  /** Wall-clock seconds of it all. */
  readonly seconds: number;
  /** Why it is over before its time, or what went wrong on the way; in sentences. */
  readonly notes: readonly string[];
}

/** A network whose answer is a mean: over networks that were trained apart, over an image and its mirror image, or both. */
export interface Ensemble {
  /** How many networks; 1 for one that answers to mirror images, too. */
  readonly members: number;
  /** Whether they answer to the mirror image of each image, too; absent: not. */
  readonly mirrored?: boolean;
  /** All weights. */
  readonly parameters: number;
  /** Multiply-accumulates for one image. */
  readonly macs: number;
  /** Seconds in which it answers one image on this machine; absent where that was not measured. */
  readonly latency?: number;
}

/** How the winner is trained with all images. */
export interface FinalPlan extends TrialPlan {
  /** Networks that are trained so, one after the other; 1 if left out. */
  readonly members?: number;
  /** Whether the mirror image of each image is to be looked at, too, in the end; not if left out. */
  readonly mirrored?: boolean;
}

/** What came of training the winner on: of one network, or of one member. */
export interface FinalTraining {
  /** Epochs that were done. */
  readonly epochs: number;
  /** Training steps that were taken. */
  readonly steps: number;
  /** Whether its network, with those of the members before it, is kept. */
  readonly kept: boolean;
  /** Share of its schedule after each epoch, where the clock had a say. */
  readonly shares?: readonly number[];
}

/** The same, or why it came to nothing. */
export type FinalOutcome = FinalTraining | Failed;

/** The winner on test images. */
export interface TestOutcome {
  /** How well it does. */
  readonly evaluation: Evaluation;
  /** Images that it is most wrong about. */
  readonly wrong: readonly WrongImage[];
}

/** The outcome, and the network. */
export interface AutoResult extends AutoOutcome {
  /** The network. */
  readonly model: Model;
}

/** What happens, for those who watch. */
export type AutoEvent =
  /** Another process leads the run: this one helps it. */
  | { readonly event: "helps" }
  | {
    readonly event: "helped";
    readonly candidate: CandidateNetwork;
    readonly rung: number;
    readonly split: number;
    readonly steps: number;
    readonly seconds: number;
  }
  | { readonly event: "resumed"; readonly trials: number; readonly seconds: number }
  | { readonly event: "plan"; readonly candidates: readonly CandidateNetwork[]; readonly text: readonly string[] }
  | { readonly event: "trivial"; readonly results: readonly TrivialResult[] }
  | {
    readonly event: "trial";
    readonly candidate: CandidateNetwork;
    readonly rung: number;
    readonly standing: Standing;
    readonly best: boolean;
  }
  | {
    readonly event: "search";
    readonly steps: number;
    readonly seconds: number;
    readonly candidates: readonly CandidateNetwork[];
  }
  | {
    readonly event: "final";
    readonly candidate: CandidateNetwork;
    readonly members: number;
    readonly steps: number;
    readonly kept: boolean;
  };
