//! Readings as events. Flow control is each client's own: one that dawdles misses readings, is told which, and does not
//! slow down the others. On threads, and as two processes.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use idl_examples::sensors::control::{self, ClientOver, Event, Handler, ServerOver};
use idl_examples::sensors::{Kind, Mounting, Quality, Reading};
use idl_examples::{Failure, Laps, Sides, join, serve_until_input_ends};
use runtime_core::{
    ClientConfig, ClientId, ClientTransport, EmitError, ServerConfig, ServerTransport,
};
use rustix::time::{ClockId, clock_gettime};

const SENSOR: u16 = 4;

/// Now, for `taken_ns`. Both sides read it, so it is the system's own clock, which is the same in every process; an `Instant` is known only
/// to the process that took it.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

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
    fn send<T: ServerTransport>(
        &mut self,
        server: &mut ServerOver<T>,
        number: u64,
        reading: &Reading,
    ) -> bool {
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
    fn catch_up<T: ServerTransport>(&mut self, server: &mut ServerOver<T>) -> bool {
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
fn read(number: u64, mounting: &Mounting) -> Reading {
    let angle = number as f32 / 100.0;
    let own = [angle.sin(), angle.cos(), 0.0];
    let rotate = |row: [f32; 3]| row.iter().zip(own).map(|(part, value)| part * value).sum();
    let saturated = if number.is_multiple_of(50) {
        Quality::SATURATED
    } else {
        Quality::empty()
    };
    Reading {
        taken_ns: now_ns(),
        kind: Kind::MOTION,
        sensor: SENSOR,
        quality: Quality::CALIBRATED | saturated,
        valid: [true.into(), true.into(), false.into()],
        values: mounting.rotation.map(rotate),
        ..Reading::default()
    }
}

/// Serves until a client, or whoever started it, tells it to stop, and returns how many readings there were.
fn serve<T: ServerTransport>(mut server: ServerOver<T>) -> Result<u64, Failure> {
    let mut settings = Settings::default();
    let mut listeners: Vec<Listener> = Vec::new();
    let (mut next, mut number) = (Instant::now(), 0);
    while !settings.stopped && server.poll(&mut settings, 8).is_ok() {
        // Those listen who are there when the first reading is due: the server may have started long before them.
        if listeners.is_empty() && settings.millihertz != 0 {
            let listener = |client| Listener {
                client,
                missed: 0,
                first_missed: 0,
            };
            listeners = server.clients().into_iter().map(listener).collect();
        }
        // 0 means that the sensor is off.
        let Some(period) = 1_000_000_000_000_u64.checked_div(settings.millihertz.into()) else {
            next = Instant::now();
            // That it is to end, the poll says as well.
            let _ = server.wait(Duration::from_millis(50));
            continue;
        };
        let now = Instant::now();
        if now < next {
            let _ = server.wait(next - now);
            continue;
        }
        next += Duration::from_nanos(period);
        let reading = read(number, &settings.mounting);
        for listener in &mut listeners {
            listener.send(&mut server, number, &reading);
        }
        number += 1;
    }
    // Nobody leaves without knowing what it missed.
    while !listeners
        .iter_mut()
        .all(|listener| listener.catch_up(&mut server))
        && server.poll(&mut settings, 8).is_ok()
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
fn listen<T: ClientTransport>(
    mut client: ClientOver<T>,
    pause: Duration,
) -> Result<Tally, Failure> {
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
                tally
                    .ages
                    .note(now_ns().saturating_sub(event.reading.taken_ns));
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

/// Who sets the sensor and two who listen, over any transport; returns how many readings there were.
fn call<T>(
    mut controller: ClientOver<T>,
    eager: ClientOver<T>,
    slow: ClientOver<T>,
) -> Result<u64, Failure>
where
    T: ClientTransport + Send + 'static,
{
    let eager = thread::spawn(move || listen(eager, Duration::ZERO));
    let slow = thread::spawn(move || listen(slow, Duration::from_millis(20)));

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

    let (eager, slow) = (join(eager)?, join(slow)?);
    let total = eager.received + eager.missed;
    assert!(total > 0);
    assert_eq!(slow.received + slow.missed, total);
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
    Ok(total)
}

/// Eight events may wait at each client.
fn config() -> ServerConfig {
    ServerConfig {
        event_window: 8,
        ..ServerConfig::default()
    }
}

/// Over the in-process backend: a server without a name, whose connector makes clients of it.
fn threads() -> Result<(), Failure> {
    let server = control::inproc::Server::over(runtime_inproc::Server::new(&config())?, &config());
    let connector = server.transport().connector();
    let connect = || -> Result<control::inproc::Client, Failure> {
        let config = ClientConfig::default();
        Ok(ClientOver::over(connector.connect(&config)?, &config))
    };
    let clients = (connect()?, connect()?, connect()?);
    let thread = thread::spawn(move || serve(server));
    let received = call(clients.0, clients.1, clients.2)?;
    assert_eq!(join(thread)?, received);
    Ok(())
}

/// Over shared memory: a process that serves a name until it is told to stop, here also by a client.
fn server(name: &str) -> Result<(), Failure> {
    let server = control::shm::Server::bind_with(name, &config())?;
    let stopper = server.transport().stopper();
    serve_until_input_ends(name, move || stopper.stop());
    let total = serve(server)?;
    println!("sensors: the server took {total} readings");
    Ok(())
}

/// And another one with all the clients.
fn client(name: &str) -> Result<(), Failure> {
    let connect = || control::shm::Client::connect(name);
    call(connect()?, connect()?, connect()?)?;
    Ok(())
}

fn main() -> ExitCode {
    let sides = Sides {
        example: "sensors",
        threads,
        server,
        client,
        nodes: None,
    };
    sides.run()
}
