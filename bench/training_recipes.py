"""Recipes for small networks on few images, tried where steps are cheap: a plain residual network (that of `auto`, C=16,
three cells) in PyTorch, on a part of the training images that bench/outcome.ts has written; the rest of them is held out
and answers. Test images are not looked at. One JSON line a training: accuracy of the last weights, of the same with
mirrored images, mean over classes; and the three of averaged weights (decay 0.99).

    deno task bench:outcome --sets=clipart,units,fashion-2000,icons --seeds=1 --time=30s --results=.cache/o.jsonl
    python3 bench/training_recipes.py RECIPES.json clipart,units 1500 0,1

RECIPES.json: {"name": {...}} with any of C, batch, lr, wd, ls, sched ("cos"), opt ("adamw"), pad, padmode ("border"), scale,
rot, aspect, jitter, hue, erase, mixup, cutmix, weights (exponent of class weights), ema, cap (training images at the most).
"""
import json, sys, time, math, copy
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
torch.set_num_threads(1)

def load(name, cap=2000):
    sh=json.load(open(f".cache/outcome/{name}/shape.json")); size=[sh["channels"],sh["height"],sh["width"]]
    x=np.fromfile(f".cache/outcome/{name}/train.images",dtype=np.uint8).reshape(-1,*size); y=np.fromfile(f".cache/outcome/{name}/train.labels",dtype=np.int32).astype(np.int64)
    return x,y,sh["classes"]
class Res(nn.Module):
    def __init__(s,a,b,st):
        super().__init__()
        s.c1,s.n1=nn.Conv2d(a,b,3,st,1,bias=False),nn.BatchNorm2d(b); s.c2,s.n2=nn.Conv2d(b,b,3,1,1,bias=False),nn.BatchNorm2d(b)
        s.d=nn.Sequential(nn.AvgPool2d(2),nn.Conv2d(a,b,1,bias=False)) if st>1 else None
    def forward(s,x):
        h=s.n2(s.c2(F.relu(s.n1(s.c1(F.relu(x))))))
        return h+(s.d(x) if s.d is not None else x)
def net(ch,classes,C=16):
    return nn.Sequential(nn.Conv2d(ch,C,3,1,1,bias=False),nn.BatchNorm2d(C),Res(C,C,1),Res(C,2*C,2),Res(2*C,2*C,1),Res(2*C,4*C,2),Res(4*C,4*C,1),nn.BatchNorm2d(4*C),nn.ReLU(),nn.AdaptiveAvgPool2d(1),nn.Flatten(),nn.Linear(4*C,classes)).to(memory_format=torch.channels_last)
def run(name, seed, steps, r):
    x,y,K=load(name); g=np.random.RandomState(100+seed); p=g.permutation(len(x)); 
    nv=min(1500,len(x)//4); v,t=p[:nv],p[nv:][:r.get('cap',2000)]
    m,s=x[t].mean((0,2,3),keepdims=True)/255, x[t].std((0,2,3),keepdims=True)/255+1e-6
    P=lambda a: torch.from_numpy(((a/255-m)/s).astype(np.float32))
    X,Y,VX,VY=P(x[t]),torch.from_numpy(y[t]),P(x[v]),torch.from_numpy(y[v])
    torch.manual_seed(seed); n=net(X.shape[1],K,r.get('C',16)); n.train()
    B=r.get('batch',32); H=X.shape[2]; pad=r.get('pad',1/12)
    dec=[q for q in n.parameters() if q.ndim>1]; nod=[q for q in n.parameters() if q.ndim==1]
    wd=r.get('wd',5e-4)
    opt=torch.optim.SGD([{'params':dec,'weight_decay':wd},{'params':nod,'weight_decay':wd if r.get('wdall',True) else 0}],0.1,momentum=0.9,nesterov=True) if r.get('opt','sgd')=='sgd' else torch.optim.AdamW([{'params':dec,'weight_decay':r.get('wd',0.05)},{'params':nod,'weight_decay':0}],1e-3)
    ema=copy.deepcopy(n); flip=name not in('mnist-1000',)
    cw=None
    if r.get('weights'):
        c=np.bincount(y[t],minlength=K); w=np.where(c>0,(len(t)/np.maximum(c,1)/K)**r['weights'],0); w=w/ (w*c/len(t)).sum(); cw=torch.tensor(w,dtype=torch.float32)
    order=torch.empty(0,dtype=torch.long); t0=time.time(); base_lr=r.get('lr',0.1)
    for st in range(steps):
        if len(order)<B: order=torch.cat([order,torch.randperm(len(X))])
        i,order=order[:B],order[B:]; b,l=X[i],Y[i]
        sc=r.get('scale',0); rot=r.get('rot',0); sh=r.get('shear',0)
        a=(torch.rand(B)*2-1)*rot*math.pi/180; zx=torch.exp((torch.rand(B)*2-1)*sc); zy=zx*torch.exp((torch.rand(B)*2-1)*r.get('aspect',0)); 
        fl=torch.where(torch.rand(B)<0.5,-1.,1.) if flip else torch.ones(B)
        tx,ty=[(torch.rand(B)*2-1)*2*pad for _ in range(2)]
        if sc==0 and rot==0:
            px=round(pad*H); tx=torch.randint(-px,px+1,(B,))*2/H; ty=torch.randint(-px,px+1,(B,))*2/H
        th=torch.stack([torch.stack([torch.cos(a)*zx*fl,-torch.sin(a)*zy,tx],1),torch.stack([torch.sin(a)*zx*fl,torch.cos(a)*zy,ty],1)],1)
        padm=r.get('padmode','zeros')
        b=F.grid_sample(b,F.affine_grid(th,b.shape,align_corners=False),align_corners=False,padding_mode=padm)
        j=r.get('jitter',0)
        if j:
            b=b*torch.exp((torch.rand(B,1,1,1)*2-1)*j)+(torch.rand(B,b.shape[1],1,1)*2-1)*j
        if r.get('hue') and b.shape[1]==3:
            for q in range(B):
                if torch.rand(())<r['hue']: b[q]=b[q,torch.randperm(3)]
        if r.get('erase'):
            e=r['erase']
            for q in range(B):
                hh=int(H*e); cy,cx=torch.randint(0,H,(2,)).tolist(); b[q,:,max(0,cy-hh//2):cy+hh//2,max(0,cx-hh//2):cx+hh//2]=0
        l2,lam=None,1.
        if r.get('mixup') :
            lam=float(np.random.beta(r['mixup'],r['mixup'])); pm=torch.randperm(B); b=lam*b+(1-lam)*b[pm]; l2=l[pm]
        if r.get('cutmix') and torch.rand(())<r.get('cutmixp',0.5):
            lam=float(np.random.beta(1,1)); pm=torch.randperm(B); hh=int(H*math.sqrt(1-lam)); cy,cx=torch.randint(0,H,(2,)).tolist(); y0,y1,x0,x1=max(0,cy-hh//2),min(H,cy+hh//2),max(0,cx-hh//2),min(H,cx+hh//2)
            b=b.clone(); b[:,:,y0:y1,x0:x1]=b[pm][:,:,y0:y1,x0:x1]; lam=1-(y1-y0)*(x1-x0)/H/H; l2=l[pm]
        q=st/steps; rate=q/0.2 if q<0.2 else ((1-q)/0.8 if r.get('sched','lin')=='lin' else 0.5*(1+math.cos(math.pi*(q-0.2)/0.8)))
        for gr in opt.param_groups: gr['lr']=base_lr*max(rate,1e-3)
        o=n(b.contiguous(memory_format=torch.channels_last))
        LS=r.get('ls',0.1)
        loss=F.cross_entropy(o,l,weight=cw,label_smoothing=LS)
        if l2 is not None: loss=lam*loss+(1-lam)*F.cross_entropy(o,l2,weight=cw,label_smoothing=LS)
        opt.zero_grad(); loss.backward(); opt.step()
        d=r.get('ema',0.99) 
        with torch.no_grad():
            d=min(d,(1+st)/(10+st))
            for e,w in zip(ema.state_dict().values(),n.state_dict().values()):
                if e.dtype.is_floating_point: e.mul_(d).add_(w,alpha=1-d)
                else: e.copy_(w)
    def acc(net):
        net.eval()
        with torch.no_grad():
            f=lambda z: torch.cat([F.softmax(net(c.contiguous(memory_format=torch.channels_last)),1) for c in z.split(256)])
            p1=f(VX); p2=(p1+f(VX.flip(3)))/2 if flip else p1
            B_=lambda pr: (pr.argmax(1)==VY)
            bal=np.mean([float(B_(p1)[VY==k].float().mean()) for k in range(K) if (VY==k).any()])
            return round(100*float(B_(p1).float().mean()),2),round(100*float(B_(p2).float().mean()),2),round(100*bal,2)
    return acc(n)+acc(ema),time.time()-t0
R=json.load(open(sys.argv[1])); sets=sys.argv[2].split(','); steps=[int(q) for q in sys.argv[3].split(',')]; seeds=[int(q) for q in sys.argv[4].split(',')]
for sd in seeds:
  for stp in steps:
    for nm in sets:
      for k,r in R.items():
        a,tm=run(nm,sd,stp,r); print(json.dumps({"set":nm,"seed":sd,"steps":stp,"r":k,"acc":a,"s":round(tm,1)}),flush=True)
