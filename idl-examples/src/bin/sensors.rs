//! Readings as events. Flow control is each client's own: one that dawdles misses readings, is told which, and does not
//! slow down the others.

use std::thread;
use std::time::{Duration, Instant};

use idl_examples::sensors::control::{Client, Event, Handler, Server};
use idl_examples::sensors::{Kind, Mounting, Quality, Reading};
use idl_examples::{Failure, Laps, join};
use runtime_core::{ClientConfig, ClientId, EmitError, ServerConfig};

const SENSOR: u16 = 4;

/// What the control methods change.
#[derive(Default)]
struct Settings {
    millihertz: u32,
    mounting: Mounting,
    stopped: bool,
}

impl Handler for Settings {
    fn set_rate(&mut self, sensor: u16, millihertz: u32) {
        if sensor == SENSOR {
            self.millihertz = millihertz;
        }
    }

    fn set_mounting(&mut self, sensor: u16, mounting: &Mounting) {
        if sensor == SENSOR {
            self.mounting = *mounting;
        }
    }

    fn stop_(&mut self) {
        self.stopped = true;
    }
}

/// A client, and what it has missed since the last event that it had room for.
struct Listener {
    client: ClientId,
    missed: u64,
    first_missed: u64,
}

impl Listener {
    /// Sends a reading, and before it what was missed. False if there is no room for it.
    fn send(&mut self, server: &mut Server, number: u64, reading: &Reading) -> bool {
        if !self.catch_up(server) {
            self.missed += 1;
            return false;
        }
        match server.reading(self.client.into(), number, reading) {
            Err(EmitError::WouldBlock { .. }) => {
                (self.first_missed, self.missed) = (number, 1);
                false
            }
            // It is fine for a listener to leave.
            _ => true,
        }
    }

    /// True if the client knows all that it has missed.
    fn catch_up(&mut self, server: &mut Server) -> bool {
        if self.missed != 0 {
            let told = server.missed(self.client.into(), self.first_missed, self.missed);
            if matches!(told, Err(EmitError::WouldBlock { .. })) {
                return false;
            }
            self.missed = 0;
        }
        true
    }
}

/// The sensor at a moment: it turns around its third axis, which this one cannot measure.
fn read(number: u64, start: Instant, mounting: &Mounting) -> Reading {
    let angle = number as f32 / 100.0;
    let own = [angle.sin(), angle.cos(), 0.0];
    let rotate = |row: [f32; 3]| row.iter().zip(own).map(|(part, value)| part * value).sum();
    let saturated = if number.is_multiple_of(50) {
        Quality::SATURATED
    } else {
        Quality::empty()
    };
    Reading {
        taken_ns: start.elapsed().as_nanos() as u64,
        kind: Kind::MOTION,
        sensor: SENSOR,
        quality: Quality::CALIBRATED | saturated,
        valid: [true.into(), true.into(), false.into()],
        values: mounting.rotation.map(rotate),
        ..Reading::default()
    }
}

/// Serves until it is told to stop, and returns how many readings there were.
fn serve(mut server: Server, start: Instant) -> Result<u64, Failure> {
    let mut settings = Settings::default();
    // The first look at what has arrived also takes in who has connected.
    server.poll(&mut settings, 8)?;
    let mut listeners: Vec<_> = server
        .clients()
        .into_iter()
        .map(|client| Listener {
            client,
            missed: 0,
            first_missed: 0,
        })
        .collect();
    let (mut next, mut number) = (start, 0);
    while !settings.stopped {
        server.poll(&mut settings, 8)?;
        // 0 means that the sensor is off.
        let Some(period) = 1_000_000_000_000_u64.checked_div(settings.millihertz.into()) else {
            next = Instant::now();
            server.wait(Duration::from_millis(50))?;
            continue;
        };
        let now = Instant::now();
        if now < next {
            server.wait(next - now)?;
            continue;
        }
        next += Duration::from_nanos(period);
        let reading = read(number, start, &settings.mounting);
        for listener in &mut listeners {
            listener.send(&mut server, number, &reading);
        }
        number += 1;
    }
    // Nobody leaves without knowing what it missed.
    while !listeners
        .iter_mut()
        .all(|listener| listener.catch_up(&mut server))
    {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(number)
}

#[derive(Default)]
struct Tally {
    received: u64,
    missed: u64,
    saturated: u64,
    /// How old readings were when they came.
    ages: Laps,
}

/// Listens until the server is gone, looking for events every so often.
fn listen(mut client: Client, start: Instant, pause: Duration) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut expected = 0;
    // The other side is gone once nothing is left of what it sent.
    loop {
        let polled = client.poll_events(|event| match event {
            Event::Reading(event) => {
                // Each is either here, in order, or announced as missed.
                assert_eq!(event.number, expected);
                expected += 1;
                tally.received += 1;
                let age = start.elapsed().as_nanos() as u64;
                tally.ages.note(age.saturating_sub(event.reading.taken_ns));
                tally.saturated += u64::from(event.reading.quality.contains(Quality::SATURATED));
                assert_eq!(
                    (event.reading.kind, event.reading.valid[2].get()),
                    (Kind::MOTION, false)
                );
            }
            Event::Missed(event) => {
                assert_eq!(event.first, expected);
                expected += event.count;
                tally.missed += event.count;
            }
        });
        match polled {
            Ok(0) => {
                let _ = client.wait(Duration::from_millis(100));
            }
            Ok(_) => {}
            Err(_) => return Ok(tally),
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
}

fn main() -> Result<(), Failure> {
    // A server without a name; its connector makes clients of it. Eight events may wait at each.
    let config = ServerConfig {
        event_window: 8,
        ..ServerConfig::default()
    };
    let server = Server::over(runtime_inproc::Server::new(&config)?, &config);
    let connector = server.transport().connector();
    let connect = || -> Result<Client, Failure> {
        let config = ClientConfig::default();
        Ok(Client::over(connector.connect(&config)?, &config))
    };
    let mut controller = connect()?;
    let (eager, slow) = (connect()?, connect()?);
    // What `taken_ns` counts from.
    let start = Instant::now();
    let eager = thread::spawn(move || listen(eager, start, Duration::ZERO));
    let slow = thread::spawn(move || listen(slow, start, Duration::from_millis(20)));
    let server = thread::spawn(move || serve(server, start));

    // One way: the calls return at once, and are done in this order.
    let quarter_turn = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
    controller.set_mounting(
        SENSOR,
        &Mounting {
            rotation: quarter_turn,
            ..Mounting::default()
        },
    )?;
    controller.set_rate(SENSOR, 5_000_000)?;
    // Long enough for some readings, also where the machine is busy with something else.
    thread::sleep(Duration::from_millis(300));
    controller.stop_()?;
    // It does not listen, so nobody has to wait for it.
    drop(controller);

    let total = join(server)?;
    let (eager, slow) = (join(eager)?, join(slow)?);
    assert!(total > 0);
    for tally in [&eager, &slow] {
        assert_eq!(tally.received + tally.missed, total);
    }
    assert!(
        slow.missed > 0,
        "it looks every 20 ms, and eight readings come in 2 ms"
    );
    println!(
        "sensors: {total} readings; the eager client got {}, the slow one {}",
        eager.received, slow.received
    );
    println!(
        "sensors: the slow one was told of {} that it missed; {} were saturated",
        slow.missed, eager.saturated
    );
    println!("sensors: readings reach the eager client, {}", eager.ages);
    Ok(())
}
