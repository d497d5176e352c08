"""The Python package inside trainers: Lightning, the Trainer of Hugging Face, Accelerate.

Each trains a real model, is stopped, goes on from its checkpoint, and has to end as a run that was never stopped.
"""

import pytest
from support import need

torch = need("torch")
lightning = need("lightning")
transformers = need("transformers")
accelerate = need("accelerate")
datasets = need("sklearn.datasets")

import lehr  # noqa: E402

SPEC, PEAK, STEPS = "warmup 10%, cosine to 0.1", 0.2, 40
EXACT = list(lehr.schedule(SPEC, STEPS, peak=PEAK))


class Digits(torch.utils.data.Dataset):
    """Handwritten digits: 640 of them, in 20 batches of 32."""

    def __init__(self):
        images, labels = datasets.load_digits(return_X_y=True)
        self.images, self.labels = torch.tensor(images[:640], dtype=torch.float32) / 16, torch.tensor(labels[:640])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {"images": self.images[i], "labels": self.labels[i]}


DIGITS = Digits()


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))

    def forward(self, images, labels):
        scores = self.layers(images)
        return {"loss": torch.nn.functional.cross_entropy(scores, labels), "logits": scores}


def optimizer_of(model):
    return torch.optim.SGD(model.parameters(), lr=PEAK, momentum=0.9)


def weights(model):
    return torch.cat([value.detach().flatten() for value in model.parameters()])


class Lit(lightning.LightningModule):
    def __init__(self, spec=SPEC):
        super().__init__()
        self.net, self.spec, self.rates = Net(), spec, []

    def training_step(self, batch, _):
        # Lightning reads the first batch twice in a run that goes on from a checkpoint, so the batch is not the loader's.
        first = self.global_step % 20 * 32
        batch = DIGITS[first : first + 32]
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        self.loss = self.net(**batch)["loss"]
        return self.loss

    def configure_optimizers(self):
        optimizer = optimizer_of(self)
        scheduler = lehr.torch.scheduler(optimizer, self.spec, steps=STEPS)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def lightning_trainer(folder, steps, **settings):
    return lightning.Trainer(
        max_steps=steps, max_epochs=-1, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, enable_checkpointing="callbacks" in settings, **settings,
    )  # fmt: skip


def batches():
    return torch.utils.data.DataLoader(DIGITS, batch_size=32)


# Lightning advises on workers of the loader.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_lightning(tmp_path):
    keep = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    whole = Lit()
    lightning_trainer(tmp_path, STEPS, callbacks=[keep]).fit(whole, batches())
    assert whole.rates == EXACT
    assert whole.loss < 0.5
    # An epoch has 20 updates.
    again = Lit()
    lightning_trainer(tmp_path, STEPS).fit(again, batches(), ckpt_path=tmp_path / "epoch=0.ckpt", weights_only=False)
    assert again.rates == EXACT[20:]
    assert torch.equal(weights(again), weights(whole))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_lightning_with_a_schedule_that_reacts(tmp_path):
    class Watched(Lit):
        def on_train_epoch_end(self):
            # Never better: the second look cuts.
            self.lr_schedulers().observe(1.0)

    model = Watched("warmup 4, plateau by 0.5 patience 0")
    lightning_trainer(tmp_path, STEPS).fit(model, batches())
    assert model.rates[:4] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert set(model.rates[4:]) == {0.2}
    assert model.lr_schedulers().get_last_lr() == [0.1]


class Rates(transformers.TrainerCallback):
    def __init__(self):
        self.rates = []

    def on_step_begin(self, args, state, control, optimizer, **_):
        self.rates.append(optimizer.param_groups[0]["lr"])


def hugging_face(folder, resume=None, **settings):
    model, seen = Net(), Rates()
    optimizer = optimizer_of(model)
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=32, max_steps=STEPS, use_cpu=True, report_to=[],
        disable_tqdm=True, max_grad_norm=0.0, save_strategy="steps", save_steps=15, logging_steps=1, seed=3, **settings,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=DIGITS, callbacks=[seen],
        optimizers=(optimizer, lehr.torch.scheduler(optimizer, SPEC, steps=STEPS)),
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=resume)
    return trainer, seen.rates


def test_the_trainer_of_hugging_face(tmp_path):
    trainer, rates = hugging_face(tmp_path)
    assert rates == EXACT
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert logged[-1] < 0.5 < logged[0]
    again, rates = hugging_face(tmp_path / "again", str(tmp_path / "checkpoint-15"))
    assert rates == EXACT[15:]
    assert torch.equal(weights(again.model), weights(trainer.model))


def test_accelerate(tmp_path):
    def begin():
        accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
        model = Net()
        optimizer = optimizer_of(model)
        scheduler = lehr.torch.scheduler(optimizer, SPEC, steps=STEPS)
        return accelerator, *accelerator.prepare(model, optimizer, batches(), scheduler)

    def train(accelerator, model, optimizer, loader, scheduler, epochs):
        rates, loss = [], None
        for _ in range(epochs):
            for batch in loader:
                with accelerator.accumulate(model):
                    loss = model(**batch)["loss"]
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        rates.append(optimizer.param_groups[0]["lr"])
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
        return rates, float(loss.detach())

    # An epoch has 20 batches, which are 10 updates.
    whole = begin()
    rates, loss = train(*whole, epochs=4)
    assert rates == EXACT and loss < 0.5
    first = begin()
    rates, _ = train(*first, epochs=1)
    first[0].save_state(str(tmp_path / "state"))
    second = begin()
    second[0].load_state(str(tmp_path / "state"))
    assert rates + train(*second, epochs=3)[0] == EXACT
    assert torch.equal(weights(second[1]), weights(whole[1]))


def test_a_drop_in_plateau_is_monitored_by_lightning(tmp_path):
    class Monitored(Lit):
        def training_step(self, batch, i):
            loss = super().training_step(batch, i)
            self.log("seen", 1.0, on_epoch=True, on_step=False)
            return loss

        def configure_optimizers(self):
            optimizer = optimizer_of(self)
            scheduler = lehr.torch.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "seen"}}

    model = Monitored()
    lightning_trainer(tmp_path, 60).fit(model, batches())
    assert model.rates == [PEAK] * 40 + [PEAK / 2] * 20
