// Plain words for states and causes. They speak of sessions, sites and time; raw text of machines stays in the timeline.
import type { CauseCode, SessionState } from '../../contract/states.ts';

const states: Record<SessionState, string> = {
  checking: 'Checking your choices and limits.',
  preparing: 'Preparing the software.',
  submitted: 'Handed over to the site.',
  accepted: 'The site has accepted it.',
  queued: 'Waiting for a free place.',
  booting: 'The machine is starting.',
  starting: 'The application is starting.',
  connecting: 'Connecting.',
  ready: 'Ready.',
  lost: 'Contact is lost. It may come back by itself; nothing has been stopped.',
  stopping: 'Stopping: documents are saved, then everything of the session ends.',
  finished: 'Finished.',
  stopped: 'Stopped.',
  cancelled: 'Cancelled before it was ready.',
  failed: 'Failed.',
};

const causes: Record<CauseCode, string> = {
  exited: 'The application ended by itself.',
  'app-failed': 'The application ended with an error. Its last lines are in the log.',
  'app-never-answered': 'The application did not answer in time. Its last lines are in the log.',
  walltime: 'The time limit of the session was reached.',
  'max-age': 'The longest time that this site allows was reached.',
  away: 'The session had no contact with Linkspan for too long and ended itself.',
  'by-owner': 'You stopped it.',
  'by-admin': 'An administrator stopped it.',
  'by-culler': 'It was not used for a long time and was stopped.',
  'cancelled-by-owner': 'You cancelled it before it was ready.',
  'cancelled-outside': 'It was ended at the site, not through Linkspan.',
  preempted: 'The site needed the place for work with a higher priority.',
  oom: 'It used more memory than it may and was ended by the machine.',
  'node-failure': 'The machine that it ran on failed or was restarted.',
  'image-error': 'The software image could not be loaded.',
  refused: 'It could not be started.',
  'enrolment-conflict': 'Its one-time key was used twice. It was cut off for safety; tell your administrators.',
  vanished: 'The site does not know it any more.',
  forgotten: 'You gave it up while contact was lost.',
  unknown: 'It ended, and nothing tells why.',
};

/** @returns the sentence for a state */
export const stateWords = (state: SessionState): string => states[state];
/** @returns the sentence for a cause */
export const causeWords = (code: CauseCode): string => causes[code];
